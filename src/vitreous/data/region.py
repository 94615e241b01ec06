"""A box of an image file, and no more of it decoded than the box needs.

A JPEG comes at the smallest of the scales 1, 1/2, 1/4 and 1/8 that still covers the size asked for
(its inverse cosine transform gives these directly), and is decoded no further than the box's last
row: entropy coding is the larger part of the work, and what lies below need not be read.
"""

import struct

import numpy as np
import simplejpeg
from jaxtyping import UInt8

from vitreous.data.crop import Box, BoxRule, cut
from vitreous.data.decode import CONVERTED_BY_PILLOW, UPRIGHT, decode
from vitreous.data.header import JPEG_MAGIC, check_size, jpeg_layout
from vitreous.data.jpeg_damage import check_scans
from vitreous.data.modes import fit_channels
from vitreous.data.restarts import cut_jpeg

Pixels = UInt8[np.ndarray, "H W C"]

# A box is decoded at a reduced scale only where it keeps this many times the size asked for: the
# resize that follows then does the filtering, and the result is within one grey level on average.
MARGIN = 1.0

# Height and width of the units that JPEG codes, by subsampling; where neighbours share one colour,
# smoothing looks at the colour next to it.
_UNITS = {
    "444": (8, 8),
    "422": (8, 16),
    "420": (16, 16),
    "440": (16, 8),
    "411": (8, 32),
    "Gray": (8, 8),
}
_LARGEST_UNIT, _LOOKED_AT = 32, 2
_END_OF_IMAGE = b"\xff\xd9"

# EXIF orientation -> what makes the stored box of an upright one: swap of the axes, then mirrors
# of rows and of columns (the inverse of `decode.UPRIGHT`).
_STORED = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


def decode_region(
    data: bytes, name: str, channels: int, rule: BoxRule, size: tuple[int, int]
) -> UInt8[np.ndarray, "h w C"]:
    """Decode a box of one image file, upright, at a scale at which it still covers a size.

    At a reduced scale the box is moved to whole pixels of that scale, by less than half of one.

    Args:
        data: The whole file.
        name: What to call it in an error.
        channels: C, 1 (grey) or 3 (RGB).
        rule: Gives the box from the upright image's (H, W).
        size: (H, W) that the box will be resized to.

    Returns:
        The box's pixels; exact where it is smaller than twice `size` or the file is no JPEG.

    Raises:
        BadImageError: As `vitreous.data.decode.decode`; rows that are not needed go unseen.
    """
    if data.startswith(JPEG_MAGIC):
        try:
            pixels = _decode_jpeg(data, channels, rule, size)
        except Exception:  # whatever it is, the whole file's decoder judges
            pixels = None
        if pixels is not None:
            return pixels
    pixels = decode(data, name, channels)
    return cut(pixels, rule(*pixels.shape[:2]))


def _decode_jpeg(data: bytes, channels: int, rule: BoxRule, size: tuple[int, int]) -> Pixels | None:
    check_scans(data)
    height, width, colour, sampling = simplejpeg.decode_jpeg_header(data)
    check_size(height, width)
    if colour in CONVERTED_BY_PILLOW:
        return None
    layout = jpeg_layout(data)
    turn = layout.orientation
    swapped = _STORED[turn][0]
    box = rule(*((width, height) if swapped else (height, width)))
    factor = _factor(box, size)
    top, left, tall, wide = _scaled(_stored_box(box, turn, height, width), factor, height, width)
    unit = _UNITS.get(sampling)
    seen = _LOOKED_AT * factor
    bottom, right = (top + tall) * factor + seen, (left + wide) * factor + seen
    cropped = unit and cut_jpeg(
        data,
        layout,
        unit,
        (max(top * factor - seen, 0), min(bottom, height)),
        (max(left * factor - seen, 0), min(right, width)),
    )
    file: bytes | bytearray
    if cropped:
        top, left = top - cropped.top // factor, left - cropped.left // factor
        file, height, width, whole = cropped.data, cropped.height, cropped.width, True
    else:
        file, rows = _ended(data, layout.frame, height, bottom, unit[0] if unit else _LARGEST_UNIT)
        height, whole = rows, rows == height
    shape = (-(-height // factor), -(-width // factor), 1 if colour == "Gray" else 3)
    pixels = np.empty(shape, np.uint8)
    try:
        simplejpeg.decode_jpeg(
            file,
            "GRAY" if colour == "Gray" else "RGB",
            min_height=shape[0],
            min_width=shape[1],
            min_factor=factor,
            buffer=pixels,
            strict=True,
        )
    except ValueError as fault:
        # The decoder tells the first thing that it met. Of a file that was ended early this is
        # the coded rest, once every row asked for is there; anything else is damage.
        if whole or "extraneous bytes before marker" not in str(fault):
            raise
    stored = cut(pixels, (top, left, tall, wide))
    return fit_channels(UPRIGHT[turn](stored), channels)


def _factor(box: Box, size: tuple[int, int]) -> int:
    """The largest reduction at which the box covers the size."""
    _, _, height, width = box
    for factor in (8, 4, 2):
        if height >= MARGIN * factor * size[0] and width >= MARGIN * factor * size[1]:
            return factor
    return 1


def _stored_box(box: Box, turn: int, height: int, width: int) -> Box:
    """The same box in the stored image of that height and width."""
    top, left, tall, wide = box
    swapped, rows_mirrored, columns_mirrored = _STORED[turn]
    if swapped:
        top, left, tall, wide = left, top, wide, tall
    if rows_mirrored:
        top = height - top - tall
    if columns_mirrored:
        left = width - left - wide
    return top, left, tall, wide


def _scaled(box: Box, factor: int, height: int, width: int) -> Box:
    """The nearest box of whole pixels at a reduced scale, inside the reduced image."""
    top, left, tall, wide = (round(number / factor) for number in box)
    bottom = min(top + tall, -(-height // factor))
    right = min(left + wide, -(-width // factor))
    return top, left, bottom - top, right - left


def _ended(
    data: bytes, frame: int | None, height: int, bottom: int, unit: int
) -> tuple[bytes | bytearray, int]:
    """The file with its height cut down to some rows, where it can be, and its height then.

    Only baseline files that are there to their end: a progressive one needs all its scans, and
    one that was cut short is for the decoder to refuse, whichever box is asked for.
    """
    rows = -(-bottom // unit) * unit
    if frame is None or rows >= height or data[-2:] != _END_OF_IMAGE:
        return data, height
    ended = bytearray(data)
    struct.pack_into(">H", ended, frame + 5, rows)
    return ended, rows
