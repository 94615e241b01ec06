import contextlib
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vitreous.data import region
from vitreous.data.crop import Box, cut
from vitreous.data.decode import UPRIGHT, decode
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.region import decode_region
from vitreous.data.transform import resize_crop
from vitreous.errors import BadImageError

H, W = 300, 413


def photo(H: int = H, W: int = W, smooth: int = 9) -> np.ndarray:
    """Soft shapes and a little noise, as photographs are."""
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 256, (H // smooth + 2, W // smooth + 2, 3)).astype(np.uint8)
    soft = np.asarray(Image.fromarray(coarse).resize((W, H), Image.Resampling.BICUBIC), int)
    return (soft + draw.integers(-4, 5, (H, W, 1))).clip(0, 255).astype(np.uint8)


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    shown = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    shown.save(file, "JPEG", **({"quality": 92, "subsampling": 2} | options))
    return file.getvalue()


PHOTO = jpeg(photo())


def turned(data: bytes, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    told = exif.tobytes()
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(told) + 2) + told + data[2:]


def boxes(height: int, width: int) -> st.SearchStrategy[Box]:
    def box(corners: tuple[int, int, int, int]) -> Box:
        top, bottom = sorted(corners[:2])
        left, right = sorted(corners[2:])
        return top, left, bottom - top + 1, right - left + 1

    rows, columns = st.integers(0, height - 1), st.integers(0, width - 1)
    return st.tuples(rows, rows, columns, columns).map(box)


@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}]
)
@given(box=boxes(H, W))
@settings(max_examples=30)
def test_at_full_scale_a_box_is_exact(options: dict[str, object], box: Box) -> None:
    data = jpeg(photo(), **options)
    pixels = decode_region(data, "a", 3, lambda *_: box, (10_000, 10_000))
    assert np.array_equal(pixels, cut(decode(data, "a"), box))


@pytest.mark.parametrize("orientation", range(1, 9))
@given(box=boxes(300, 300))
@settings(max_examples=10)
def test_a_box_of_a_turned_photo(orientation: int, box: Box) -> None:
    data = turned(PHOTO, orientation)
    shapes = []
    pixels = decode_region(data, "a", 3, lambda *shape: shapes.append(shape) or box, (999, 999))
    upright = decode(data, "a")
    assert shapes == [upright.shape[:2]]
    assert np.array_equal(upright, UPRIGHT[orientation](decode(PHOTO, "a")))
    assert np.array_equal(pixels, cut(upright, box))


@given(box=boxes(H, W), size=st.integers(1, 200))
@settings(max_examples=60)
def test_a_reduced_box_covers_what_is_asked_for_and_lies_inside(box: Box, size: int) -> None:
    pixels = decode_region(PHOTO, "a", 3, lambda *_: box, (size, size))
    for got, side in zip(pixels.shape[:2], box[2:], strict=True):
        assert got >= min(size, side)
        assert got <= side


def test_reduced_scales_are_within_a_grey_level_on_average(shared_data: Path) -> None:
    """Against Pillow's crop and bicubic resize of the whole image, photographs of 2000 x 1500."""
    rule = Preprocessing(size=(224, 224))
    factors = set()
    with tarfile.open(shared_data / "flower_photos_originals_40.tar") as archive:
        members = [member for member in archive if member.name.endswith(".jpg")][::8]
        for number, member in enumerate(members):
            with Image.open(archive.extractfile(member)) as image:
                large = image.convert("RGB").resize((2000, 1500), Image.Resampling.BICUBIC)
            data = jpeg(np.asarray(large))
            exact = decode(data, "a")
            for share in (1.0, 0.5, 0.33):
                wanted = (100 + number, 200, int(1400 * share), int(1400 * share))
                factor = region._factor(wanted, rule.size)
                factors.add(factor)
                box = tuple(factor * n for n in region._scaled(wanted, factor, 1500, 2000))
                reduced = decode_region(data, "a", 3, lambda *_, box=wanted: box, rule.size)
                ours = resize_crop(reduced, rule.size, rule.interpolation).permute(1, 2, 0).numpy()
                theirs = Image.fromarray(cut(exact, box)).resize(
                    (224, 224), Image.Resampling.BICUBIC
                )
                assert np.abs(ours.astype(int) - np.asarray(theirs)).mean() < 1
    assert factors == {4, 2}


def test_rows_below_the_box_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes, original = [], simplejpeg.decode_jpeg

    def watched(data: bytes, *arguments: object, **options: object) -> np.ndarray:
        shapes.append(options["buffer"].shape)
        return original(data, *arguments, **options)

    monkeypatch.setattr(simplejpeg, "decode_jpeg", watched)
    decode_region(PHOTO, "a", 3, lambda *_: (0, 0, 40, 400), (40, 400))
    decode_region(PHOTO, "a", 3, lambda *_: (200, 0, 95, 400), (40, 400))
    assert shapes == [(48, W, 3), (H, W, 3)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("stored", [1, 3])
def test_channels_are_fitted(channels: int, stored: int) -> None:
    data = jpeg(photo()[..., :stored])
    box = (10, 20, 30, 40)
    pixels = decode_region(data, "a", channels, lambda *_: box, (30, 40))
    assert np.array_equal(pixels, cut(decode(data, "a", channels), box))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_other_formats_are_decoded_whole(kind: str) -> None:
    file = io.BytesIO()
    Image.fromarray(photo()).save(file, kind)
    pixels = decode_region(file.getvalue(), "a", 3, lambda *_: (5, 6, 70, 80), (8, 8))
    assert np.array_equal(pixels, cut(decode(file.getvalue(), "a"), (5, 6, 70, 80)))


@pytest.mark.parametrize("left", [0, 2, 200, 5_000, len(PHOTO) - 1])
@pytest.mark.parametrize("box", [(0, 0, 40, 40), (250, 0, 50, 50)])
def test_a_file_cut_short_is_refused_whichever_box(left: int, box: Box) -> None:
    with pytest.raises(BadImageError):
        decode_region(PHOTO[:left], "a", 3, lambda *_: box, (40, 40))


def test_damage_inside_the_box_is_refused() -> None:
    at = len(PHOTO) // 8
    broken = PHOTO[:at] + b"\xff\xd8" * 20 + PHOTO[at + 40 :]
    with pytest.raises(BadImageError):
        decode_region(broken, "a", 3, lambda *_: (0, 0, 150, 400), (150, 400))


@given(st.binary(max_size=60), st.integers(0, len(PHOTO) - 60))
@settings(max_examples=60)
def test_damage_of_any_kind_is_one_kind_of_error(noise: bytes, at: int) -> None:
    broken = PHOTO[:at] + noise + PHOTO[at + len(noise) :]
    with contextlib.suppress(BadImageError):
        decode_region(broken, "a", 3, lambda h, w: (0, 0, h // 3 or 1, w // 3 or 1), (8, 8))


@pytest.mark.parametrize("sampling", [0, 1, 2])
@given(box=boxes(H, W))
@settings(max_examples=20)
def test_ended_early_the_pixels_are_the_whole_files_at_every_scale(sampling: int, box: Box) -> None:
    data = jpeg(photo(), subsampling=sampling)
    for factor in (2, 4, 8):
        size = (max(box[2] // factor, 1), max(box[3] // factor, 1))
        if region._factor(box, size) != factor:
            continue
        whole = simplejpeg.decode_jpeg(
            data, min_height=-(-H // factor), min_width=-(-W // factor), min_factor=factor
        )
        pixels = decode_region(data, "a", 3, lambda *_: box, size)
        assert np.array_equal(pixels, cut(whole, region._scaled(box, factor, H, W)))
