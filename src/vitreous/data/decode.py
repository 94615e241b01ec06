"""Bytes of an image file to 8-bit pixels, upright, whatever the file holds.

JPEG files take a fast path (simplejpeg: bit-equal to Pillow, and it can decode at a reduced
scale); everything else, and kinds of JPEG that simplejpeg does not know, go through Pillow. What
the JPEG decoder warns of is damage (`vitreous.data.jpeg_damage`).
"""

from collections.abc import Callable, Mapping
from typing import NoReturn

import numpy as np
import simplejpeg
from jaxtyping import UInt8
from PIL.ImageFile import ImageFile

from vitreous.data.header import (
    JPEG_MAGIC,
    PNG_MAGIC,
    check_size,
    jpeg_layout,
    open_header,
    orientation,
)
from vitreous.data.jpeg_damage import check_scans, is_damage
from vitreous.data.modes import GREY_MODES, fit_channels, to_uint8
from vitreous.data.png_damage import check_chunks, check_rows
from vitreous.errors import BadImageError, MachineError

Pixels = UInt8[np.ndarray, "H W C"]

# EXIF orientation -> what makes the stored pixels upright (EXIF 2.3, tag 0x0112).
UPRIGHT: Mapping[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}

# simplejpeg rounds the conversion of these to RGB otherwise than Pillow.
CONVERTED_BY_PILLOW = ("CMYK", "YCCK")


def decode(
    data: bytes, name: str, channels: int = 3, min_side: int | None = None
) -> UInt8[np.ndarray, "H W C"]:
    """Decode one image file.

    The rules for modes other than 8-bit grey and RGB are in `vitreous.data.modes`. EXIF
    orientation is applied. Of an animation or several pages, the first is taken. Safe to call
    from several threads at once.

    Args:
        data: The whole file.
        name: What to call it in an error.
        channels: C, 1 (grey) or 3 (RGB).
        min_side: Where given, a JPEG may come at 1/2 to 1/8 of its size, as long as its shorter
            side keeps at least this many pixels. Without it, the pixels are exact.

    Returns:
        Pixels in C order, writable.

    Raises:
        BadImageError: The file is damaged, cut short, of an unknown format, larger than
            `header.MAX_PIXELS`, or holds levels that have no meaning in 8 bits.
        MachineError: There is no memory for an image of that size.
    """
    if channels not in (1, 3):
        raise ValueError(f"an image file decodes to 1 or 3 channels, not {channels}")
    try:
        pixels = None
        if data.startswith(JPEG_MAGIC):
            pixels = _decode_jpeg(data, channels, min_side)
        if pixels is None:
            pixels = _decode_any(data, channels)
    except MemoryError as fault:
        _check_memory(data, name)
        _refuse(data, name, fault)
    except Exception as fault:
        # Decoders meet damaged bytes with whatever exception is nearest, from KeyError to
        # struct.error: no list of them would hold.
        _refuse(data, name, fault)
    return np.ascontiguousarray(pixels)


def image_size(data: bytes, name: str) -> tuple[int, int]:
    """(H, W) of an image file once upright, from its header alone.

    Raises:
        BadImageError: The header cannot be read.
    """
    try:
        if data.startswith(JPEG_MAGIC):
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            turned = jpeg_layout(data).orientation >= 5
        else:
            image = open_header(data)
            height, width = image.height, image.width
            # Pillow turns TIFF files by itself, and no others.
            turned = image.format != "TIFF" and orientation(image) >= 5
    except Exception as fault:
        _refuse(data, name, fault)
    return (width, height) if turned else (height, width)


def is_grey(data: bytes, name: str) -> bool:
    """Whether an image file is stored without colour, from its header alone.

    Raises:
        BadImageError: The header cannot be read.
    """
    try:
        return open_header(data).mode in GREY_MODES
    except Exception as fault:
        _refuse(data, name, fault)


def _decode_jpeg(data: bytes, channels: int, min_side: int | None) -> Pixels | None:
    """The fast path; None where the file is one for Pillow."""
    check_scans(data)
    try:
        height, width, colour, _ = simplejpeg.decode_jpeg_header(data)
        check_size(height, width)
        by_pillow = colour in CONVERTED_BY_PILLOW
        stored = simplejpeg.decode_jpeg(
            data,
            "CMYK" if by_pillow else "GRAY" if colour == "Gray" else "RGB",
            min_height=1 if by_pillow else min_side or 0,
            min_width=1 if by_pillow else min_side or 0,
            min_factor=2 if min_side or by_pillow else 1,  # between 1/2 and 1 are slower than 1
            strict=True,
        )
    except ValueError as fault:  # a kind of JPEG that it does not know: Pillow judges
        if is_damage(str(fault), data):
            raise
        return None
    if by_pillow:  # it was decoded for the warnings alone, which Pillow does not tell
        return None
    return fit_channels(UPRIGHT[jpeg_layout(data).orientation](stored), channels)


def _decode_any(data: bytes, channels: int) -> Pixels:
    png = data.startswith(PNG_MAGIC)
    if png:
        check_chunks(data)
    image = open_header(data)
    if png:
        image.load()
        if _ends_black(image):
            check_rows(data)
    stored = to_uint8(image, channels)  # of a TIFF, this applies and clears the orientation
    return UPRIGHT[orientation(image)](stored)


def _ends_black(image: ImageFile) -> bool:
    """True where the last two rows hold zeros, as rows do that never came; of Adam7 two passes."""
    last = image.crop((0, max(image.height - 2, 0), image.width, image.height))
    return last.getbbox() is None


def _check_memory(data: bytes, name: str) -> None:
    """Raise a MachineError where an image of the stated size, four times over, has no room."""
    try:
        height, width = image_size(data, name)
        np.empty(16 * height * width, np.uint8)
    except MemoryError as fault:
        raise MachineError(
            f"no memory to decode {name}: free some, or use fewer --readers"
        ) from fault


def _refuse(data: bytes, name: str, fault: Exception) -> NoReturn:
    reason = " ".join(str(fault).split()) or type(fault).__name__
    raise BadImageError(name, reason[:160] if data else "the file is empty") from fault
