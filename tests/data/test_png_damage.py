"""PNG files whose checksums are wrong, or whose rows end early."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from vitreous.data.decode import decode
from vitreous.data.png_damage import check_rows
from vitreous.errors import BadImageError

MAGIC = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, rows: bytes, *, colour: int = 2, depth: int = 8, interlaced: int = 0
) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    palette = chunk(b"PLTE", bytes(range(48)) * 16) if colour == 3 else b""
    packed = chunk(b"IDAT", zlib.compress(rows))
    return MAGIC + chunk(b"IHDR", head) + palette + packed + chunk(b"IEND", b"")


KINDS = [(2, 8, 3), (0, 8, 1), (6, 8, 4), (3, 8, 1), (0, 16, 2), (4, 8, 2)]


@pytest.mark.parametrize(("colour", "depth", "size"), KINDS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_stream_that_ends_early(colour: int, depth: int, size: int, share: float) -> None:
    """Complete by its own checksums: only rows are missing."""
    rows = (b"\0" + b"\x80" * (20 * size)) * 40
    assert decode(png(20, 40, rows, colour=colour, depth=depth), "x").shape == (40, 20, 3)
    cut = rows[: int(share * 40) * (1 + 20 * size)]
    with pytest.raises(BadImageError, match="end after"):
        decode(png(20, 40, cut, colour=colour, depth=depth), "x")


@pytest.mark.parametrize("size", [(20, 40), (1, 1), (3, 9), (8, 8), (5, 2)])
def test_black_pictures_are_whole(size: tuple[int, int]) -> None:
    for mode in ("RGB", "L", "1", "P", "RGBA", "I;16"):
        file = io.BytesIO()
        Image.new(mode, size).save(file, "PNG")
        check_rows(file.getvalue())
        assert decode(file.getvalue(), "x").shape == (size[1], size[0], 3)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 5), (8, 8), (17, 9), (2, 30)])
def test_interlaced_ones_are_counted_pass_by_pass(width: int, height: int) -> None:
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
    rows = b""
    for top, left, down, right in (*passes, (1, 0, 2, 1)):
        across, count = len(range(left, width, right)), len(range(top, height, down))
        rows += (b"\0" + bytes(3 * across)) * count if across else b""
    whole = png(width, height, rows, interlaced=1)
    assert not decode(whole, "x").any()
    with pytest.raises(BadImageError):
        decode(png(width, height, rows[:-3], interlaced=1), "x")


def test_every_changed_byte_of_the_image_is_seen() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    data = file.getvalue()
    start = data.index(b"IDAT")
    for at in range(start + 4, len(data) - 12):
        changed = bytearray(data)
        changed[at] ^= 0x10
        with pytest.raises(BadImageError):
            decode(bytes(changed), "x")
