"""What an image file says of itself before a pixel is decoded: format, size, mode, orientation."""

import re
import struct
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple, cast

from PIL import ExifTags
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

MAX_PIXELS = 64_000_000
"""Largest image that is decoded, in pixels; larger ones are refused from their header."""

JPEG_MAGIC = b"\xff\xd8\xff"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

_SLOW_BYTES = 4 * 2**20
"""Largest file of a kind that Pillow decodes in Python, a fifth of a second a megabyte."""

MAX_SEGMENTS = 10_000
"""Most segments of a JPEG before its coded data; photographs have a few dozen."""

_MAX_FILL = 64 * 2**10  # bytes between segments of a JPEG, which Pillow reads one by one
_MAX_BLOCKS = 200_000  # of a GIF before its first frame, some 50 MB of comments
_GIF_BLOCK = re.compile(rb"[!,;]")
_FILL = re.compile(rb"\xff*")
# A marker of a JPEG and its kind; 00 is coded data, D0 to D7 are restarts within them.
JPEG_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)

# Markers of a JPEG's segments (ITU-T T.81, table B.1).
_BASELINE = (0xC0, 0xC1)
_START_OF_SCAN = 0xDA
_RESTART_INTERVAL = 0xDD
_APP1 = 0xE1

Opener = Callable[[BytesIO], ImageFile]

# The allow-list. The readers are built directly and not through `PIL.Image.open`, which would
# try any other format too and issues its decompression-bomb warning before we can refuse.
FORMATS: tuple[tuple[str, Callable[[bytes], bool], Opener], ...] = (
    ("JPEG", lambda head: head.startswith(JPEG_MAGIC), JpegImageFile),
    ("PNG", lambda head: head.startswith(PNG_MAGIC), PngImageFile),
    ("WebP", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", WebPImageFile),
    ("GIF", lambda head: head.startswith((b"GIF87a", b"GIF89a")), GifImageFile),
    ("BMP", lambda head: head.startswith(b"BM"), BmpImageFile),
    ("TIFF", lambda head: head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")), TiffImageFile),
    ("AVIF", lambda head: head[4:12] in (b"ftypavif", b"ftypavis"), AvifImageFile),
    ("PNM", lambda head: head[:1] == b"P" and head[1:2] in b"123456f", PpmImageFile),
)


def open_header(data: bytes) -> ImageFile:
    """Read an image file's header with Pillow, and refuse it there if it is too large.

    Returns:
        The image, not yet decoded: `size`, `mode` and `info` are known. Of an animation or a
        file of several pages, it is the first.

    Raises:
        ValueError: The format is not in `FORMATS`, or the image has over `MAX_PIXELS` pixels.
        Exception: Whatever Pillow raises on a damaged header.
    """
    head = data[:16]
    for name, matches, opener in FORMATS:
        if matches(head):
            if name in _SIZES:
                check_size(*_SIZES[name](data))
            if name in _SLOW:
                _SLOW[name](data)
            image = opener(BytesIO(data))
            check_size(image.height, image.width)
            if name == "TIFF":
                _check_tiles(image)
            return image
    raise ValueError(f"not an image of a known format ({', '.join(row[0] for row in FORMATS)})")


def check_size(height: int, width: int) -> None:
    """Refuse an image of more than `MAX_PIXELS` pixels with a ValueError."""
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"{width} x {height} pixels are over the limit of {MAX_PIXELS // 1_000_000} million"
        )


def orientation(image: ImageFile) -> int:
    """EXIF orientation of an image, 1 (upright) to 8; 1 where none can be read."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged metadata says nothing about the pixels, which may be fine
        return 1
    return value if value in range(1, 9) else 1


class JpegLayout(NamedTuple):
    """Where things lie in a JPEG file.

    Attributes:
        orientation: EXIF orientation, 1 to 8.
        frame: Where the header of a baseline frame begins (its marker); None for other kinds.
        scan: Where the coded data of the first scan begin, if it has all components; else None.
        restart: Coded units (MCUs) from one restart marker to the next; 0 for no markers.
    """

    orientation: int
    frame: int | None
    scan: int | None
    restart: int


def jpeg_layout(data: bytes) -> JpegLayout:
    """Read a JPEG's segments up to its first scan.

    The search ends where the file is damaged: what follows is for the decoder to judge.
    """
    at, frame, told, scan, restart = 2, None, False, None, 0
    for _ in range(MAX_SEGMENTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            break
        kind = data[at + 1]
        if kind == _START_OF_SCAN:
            if frame is not None and data[at + 4 : at + 5] == data[frame + 9 : frame + 10]:
                scan = at + 2 + (data[at + 2] << 8 | data[at + 3])
            break
        if kind == 0xFF:  # fill bytes
            at = cast(re.Match[bytes], _FILL.match(data, at)).end() - 1
            continue
        if kind in _BASELINE:
            frame = at
        length = data[at + 2] << 8 | data[at + 3]
        if kind == _RESTART_INTERVAL:
            restart = int.from_bytes(data[at + 4 : at + 6], "big")
        if kind == _APP1 and not told:
            segment = data[at : at + 2 + length]
            told = b"Exif\0\0" in segment or b"tiff:Orientation" in segment
        at += 2 + length
    return JpegLayout(orientation(open_header(data)) if told else 1, frame, scan, restart)


def _check_jpeg(data: bytes) -> None:
    """Refuse a JPEG that spends Pillow's time between the segments before its coded data."""
    at, filling = 2, 0
    for _ in range(MAX_SEGMENTS):
        found = JPEG_MARKER.search(data, at)
        filling += max((len(data) if found is None else found.start()) - at, 0)
        if filling > _MAX_FILL:
            raise ValueError(f"over {_MAX_FILL >> 10} KiB of filling between its segments")
        if found is None:
            return  # the decoder judges
        at = found.end()
        if found[1][0] == _START_OF_SCAN:
            return
        at += int.from_bytes(data[at : at + 2], "big")
    raise ValueError(f"over {MAX_SEGMENTS:,} segments come before its coded data")


def _gif_size(data: bytes) -> tuple[int, int]:
    """(H, W) of a GIF's first frame or its screen, the larger: Pillow grows to the frame."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (6 << (flags & 7) if flags & 128 else 0)  # past the global palette
    blocks = 0
    while (found := _GIF_BLOCK.search(data, at)) is not None and found[0] == b"!":
        at = found.end() + 1  # an extension: a label, then blocks up to an empty one
        while data[at]:
            at += 1 + data[at]
            blocks += 1
            if blocks > _MAX_BLOCKS:
                raise ValueError(f"over {_MAX_BLOCKS:,} blocks come before its first frame")
        at += 1
        blocks += 1
    if found is None:
        raise ValueError("it has no frame")
    if found[0] == b",":
        left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, found.end())
        width, height = max(width, left + frame_width), max(height, top + frame_height)
    return height, width


def _check_bmp(data: bytes) -> None:
    """Refuse a large run-length coded BMP, which Pillow decodes in Python."""
    (compression,) = struct.unpack_from("<I", data, 30)
    if compression in (1, 2) and len(data) > _SLOW_BYTES:
        raise ValueError(f"a run-length coded BMP of over {_SLOW_BYTES >> 20} MiB: save it as PNG")


def _check_pnm(data: bytes) -> None:
    """Refuse a large PNM written as text, which Pillow decodes in Python."""
    if data[1:2] in b"123" and len(data) > _SLOW_BYTES:
        raise ValueError(f"a PNM of text of over {_SLOW_BYTES >> 20} MiB: save it as PNG")


def _check_tiles(image: ImageFile) -> None:
    """Refuse a TIFF whose tiles are larger than any image: the decoder takes a tile's memory."""
    sides = [image.tag_v2.get(tag, 1) for tag in _TILE_SIDES]  # type: ignore[attr-defined]
    if all(isinstance(side, int) for side in sides):
        check_size(*sides)


def _webp_size(data: bytes) -> tuple[int, int]:
    """(H, W) of a WebP's canvas, by its first chunk; of a chunk that none begins with, (0, 0)."""
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        return 0, 0  # Pillow judges
    return height, width


# Of formats for which Pillow takes the memory of all pixels, or of a screen, as it opens them.
_SIZES = {"GIF": _gif_size, "WebP": _webp_size}

# Of formats that Pillow decodes, or searches, in Python.
_SLOW = {"JPEG": _check_jpeg, "BMP": _check_bmp, "PNM": _check_pnm}
_TILE_SIDES = (323, 322)  # length and width
