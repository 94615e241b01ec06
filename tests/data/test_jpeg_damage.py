"""Damage that a decoder works through, and work without end that a small file asks for."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vitreous.data.decode import decode
from vitreous.data.jpeg_damage import MAX_SCANS, check_scans, is_damage, is_rotten
from vitreous.data.region import decode_region
from vitreous.errors import BadImageError

SATURATED = [tuple(255 * (n >> bit & 1) for bit in range(3)) for n in range(8)]


def photo(seed: int = 0, size: tuple[int, int] = (200, 144), **options: object) -> bytes:
    """Soft shapes of all colours with grain, as a photograph has them."""
    draw = np.random.default_rng(seed)
    coarse = Image.fromarray(draw.integers(0, 256, (6, 8, 3), np.uint8)).resize(size, 3)
    grain = draw.normal(0, 6, (size[1], size[0], 3))
    pixels = np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


def named(data: bytes) -> bool:
    """True where a file is refused, or found rotten."""
    try:
        pixels = decode(data, "x")
    except BadImageError:
        return True
    return is_rotten(data, pixels)


def damaged(data: bytes, how: int, draw: np.random.Generator) -> bytes:
    held = bytearray(data)
    if how == 0:
        return data[: draw.integers(2, len(data))]
    if how == 1:
        at = draw.integers(0, len(data) - 64)
        held[at : at + 64] = draw.bytes(64)
    else:
        held[draw.integers(len(data))] ^= draw.integers(1, 256)
    return bytes(held)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 95}])
def test_nearly_all_visible_damage_is_named(options: dict[str, object]) -> None:
    draw = np.random.default_rng(1)
    visible, missed = 0, []
    for number in range(240):
        data = photo(number % 12, **options)
        whole = decode(data, "x").astype(int)
        bad = damaged(data, number % 3, draw)
        if named(bad):
            visible += 1
            continue
        error = np.abs(decode(bad, "x") - whole).mean() if len(bad) else 255
        if error > 8:
            visible += 1
            missed.append(error)
    assert visible > 120
    assert len(missed) < 0.06 * visible


@pytest.mark.parametrize("quality", [1, 5, 20, 50, 75, 95])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_hard_edges_of_pure_colours_are_sound(quality: int, subsampling: int) -> None:
    """What quantisation and shared colours do to the hardest drawings stays within their bounds."""
    draw = np.random.default_rng(quality)
    image = Image.new("RGB", (160, 120), SATURATED[draw.integers(8)])
    pen = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, to_x, to_y = draw.integers(0, 160, 4).tolist()
        pen.line((x, y, to_x, to_y), SATURATED[draw.integers(8)], int(draw.integers(1, 20)))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=subsampling)
    assert not named(file.getvalue())


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 3), (17, 16)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_small_and_other_kinds_are_sound(size: tuple[int, int], mode: str) -> None:
    file = io.BytesIO()
    Image.new(mode, size, 77).save(file, "JPEG")
    assert not named(file.getvalue())


def test_a_shifted_colour_is_rotten() -> None:
    """A first difference of blocks that is changed shifts all that follows, without a warning."""
    found = 0
    for number in range(400):
        data = bytearray(photo(3))
        start = data.index(b"\xff\xda") + 14
        data[start + number % 300] ^= 1 << number % 8
        try:
            pixels = decode(bytes(data), "x")
        except BadImageError:
            continue
        found += is_rotten(bytes(data), pixels)
    assert found > 3


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_cut_files_of_other_kinds(mode: str) -> None:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).convert(mode).save(file, "JPEG")
    data = file.getvalue()
    assert not named(data)
    for share in (0.4, 0.7, 0.95):
        assert named(data[: int(share * len(data))] + b"\xff\xd9")


def test_filling_before_the_end_is_no_damage() -> None:
    data = photo()
    assert not named(data[:-2] + bytes(300) + b"\xff\xd9")
    assert named(data[:-2] + bytes(range(60)) + b"\xff\xd9")
    assert not named(data + bytes(range(250)))  # behind the end it is nobody's


def test_what_the_words_of_the_decoder_mean() -> None:
    assert is_damage("Premature end of JPEG file", b"")
    assert is_damage("Corrupt JPEG data: bad Huffman code", b"")
    assert not is_damage("Unsupported JPEG process: SOF type 0xc3", b"")


def segment(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + struct.pack(">H", len(data) + 2) + data


def scans(count: int, width: int = 64, height: int = 64, between: bytes = b"") -> bytes:
    """A progressive grey JPEG of one scan of means and `count` of empty blocks."""
    blocks = -(-width // 8) * -(-height // 8)
    code = lambda kind, symbol: segment(0xC4, bytes([kind << 4, 1, *[0] * 15, symbol]))  # noqa: E731
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"
    head = b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC2, frame)
    means = code(0, 0) + segment(0xDA, b"\1\1\0\0\0\0") + bytes(blocks // 8 + 1)
    empty = segment(0xDA, b"\1\1\0\1\x3f\0") + bytes(blocks // 8 + 1)
    return head + means + code(1, 0) + (between + empty) * count + b"\xff\xd9"


def test_a_scan_bomb_is_refused_before_it_is_decoded() -> None:
    bomb = scans(2000, 4000, 4000)
    begin = time.process_time()
    for read in (
        lambda: decode(bomb, "x"),
        lambda: decode_region(bomb, "x", 3, lambda h, w: (0, 0, 9, 9), (8, 8)),
    ):
        with pytest.raises(BadImageError, match=f"over {MAX_SCANS} scans"):
            read()
    assert time.process_time() - begin < 3


@pytest.mark.parametrize(
    "between",
    [segment(0xFE, b"\xff\xd9"), segment(0xFE, b"\xff\xda"), b"\xff" * 9, segment(0xFE, b"")],
)
def test_scans_are_counted_past_what_stands_between(between: bytes) -> None:
    with pytest.raises(ValueError, match="scans"):
        check_scans(scans(300, between=between))


@pytest.mark.parametrize("count", [1, 10, 60])
def test_as_many_scans_as_encoders_write(count: int) -> None:
    check_scans(scans(count))
    decode(photo(progressive=True), "x")


def test_what_follows_the_image_is_not_counted() -> None:
    """The film behind a moving photograph holds markers by chance."""
    data = photo() + b"\xff\xda\0\x0c" * 5000
    check_scans(data)
    assert decode(data, "x").shape == (144, 200, 3)


@pytest.mark.parametrize("filling", [b"\xff" * 30_000_000, b"\0" * 30_000_000, b"\xff\0" * 2**24])
def test_filling_without_end(filling: bytes) -> None:
    """Pillow would read it byte by byte."""
    begin = time.process_time()
    with pytest.raises(BadImageError):
        decode(b"\xff\xd8\xff" + filling + photo()[2:-9], "x")
    assert time.process_time() - begin < 5


def test_segments_without_end() -> None:
    comments = segment(0xFE, b"") * 2_000_000
    begin = time.process_time()
    with pytest.raises(BadImageError):
        decode(b"\xff\xd8" + comments, "x")
    with pytest.raises(ValueError, match="segments"):
        check_scans(scans(150, between=comments[:4000]))
    assert time.process_time() - begin < 5
