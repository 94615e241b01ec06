"""Bytes of an image file to 8-bit pixels, upright, whatever the file holds.

JPEG files take a fast path (simplejpeg: bit-equal to Pillow, and it can decode at a reduced
scale); everything else, and JPEG files that simplejpeg refuses, go through Pillow.
"""

from collections.abc import Callable, Mapping
from typing import NoReturn

import numpy as np
import simplejpeg
from jaxtyping import UInt8

from vitreous.data.header import JPEG_MAGIC, check_size, jpeg_layout, open_header, orientation
from vitreous.data.modes import GREY_MODES, fit_channels, to_uint8
from vitreous.errors import BadImageError

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
    """
    if channels not in (1, 3):
        raise ValueError(f"an image file decodes to 1 or 3 channels, not {channels}")
    try:
        pixels = None
        if data.startswith(JPEG_MAGIC):
            pixels = _decode_jpeg(data, channels, min_side)
        if pixels is None:
            pixels = _decode_any(data, channels)
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
    try:
        height, width, colour, _ = simplejpeg.decode_jpeg_header(data)
        check_size(height, width)
        if colour in CONVERTED_BY_PILLOW:
            return None
        stored = simplejpeg.decode_jpeg(
            data,
            "GRAY" if colour == "Gray" else "RGB",
            min_height=min_side or 0,
            min_width=min_side or 0,
            min_factor=2 if min_side else 1,  # scales between 1/2 and 1 are slower than 1
            strict=True,
        )
    except ValueError:  # damaged, or a kind of JPEG that it does not know: Pillow judges
        return None
    return fit_channels(UPRIGHT[jpeg_layout(data).orientation](stored), channels)


def _decode_any(data: bytes, channels: int) -> Pixels:
    image = open_header(data)
    stored = to_uint8(image, channels)  # of a TIFF, this applies and clears the orientation
    return UPRIGHT[orientation(image)](stored)


def _refuse(data: bytes, name: str, fault: Exception) -> NoReturn:
    reason = " ".join(str(fault).split()) or type(fault).__name__
    raise BadImageError(name, reason[:160] if data else "the file is empty") from fault
