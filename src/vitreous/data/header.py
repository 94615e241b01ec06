"""What an image file says of itself before a pixel is decoded: format, size, mode, orientation."""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

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
    ("PNG", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"), PngImageFile),
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
            image = opener(BytesIO(data))
            check_size(image.height, image.width)
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
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind == _START_OF_SCAN:
            if frame is not None and data[at + 4 : at + 5] == data[frame + 9 : frame + 10]:
                scan = at + 2 + (data[at + 2] << 8 | data[at + 3])
            break
        if kind == 0xFF:  # a fill byte
            at += 1
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


def _gif_size(data: bytes) -> tuple[int, int]:
    """(H, W) of a GIF's first frame or its screen, the larger: Pillow grows to the frame."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (6 << (flags & 7) if flags & 128 else 0)  # past the global palette
    while data[at] not in b",;":
        if data[at] == 0x21:  # an extension: a label, then blocks up to an empty one
            at += 2
            while data[at]:
                at += 1 + data[at]
        at += 1
    if data[at : at + 1] == b",":
        left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, at + 1)
        width, height = max(width, left + frame_width), max(height, top + frame_height)
    return height, width


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
