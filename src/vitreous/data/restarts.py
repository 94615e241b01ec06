"""A JPEG cut down to a box along its restart markers, before anything is decoded.

Between two restart markers the coded data depend on nothing before them (ITU-T T.81, E.1.4): the
intervals that a box touches make a smaller JPEG of their own. `vitreous data shard` writes such
markers, and so do many cameras.
"""

import struct
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from vitreous.data.header import JpegLayout

_END_OF_IMAGE = b"\xff\xd9"
_FIRST_RESTART = 0xD0

# Above this share of the whole image, what is spared does not pay for the cutting.
_WORTH = 0.9


# Least width of the intervals of a JPEG that is written, pixels: a marker takes some five bytes.
_LEAST_WIDTH = 32


class CutJpeg(NamedTuple):
    """A smaller JPEG out of a larger one.

    Attributes:
        data: The file.
        top: Its first row in the larger one, pixels.
        left: Its first column.
        height: Its size, pixels.
        width: Its size, pixels.
    """

    data: bytearray
    top: int
    left: int
    height: int
    width: int


def restart_interval(width: int, unit: int) -> int:
    """Coded units between restart markers for a JPEG that will be cut: they divide its rows evenly.

    Args:
        width: Of the image, pixels.
        unit: Width of what is coded at once (its MCU), pixels.
    """
    across = -(-width // unit)
    least = -(-_LEAST_WIDTH // unit)
    return next(units for units in range(min(least, across), across + 1) if across % units == 0)


def cut_jpeg(
    data: bytes,
    layout: JpegLayout,
    unit: tuple[int, int],
    rows: tuple[int, int],
    columns: tuple[int, int],
) -> CutJpeg | None:
    """The smallest JPEG along restart markers that holds some rows and columns.

    Args:
        data: A whole file.
        layout: Of the file.
        unit: Height and width of what it codes at once (its MCU), pixels.
        rows: First row, and the one after the last.
        columns: First column, and the one after the last.

    Returns:
        None where the file has no markers in fitting places, is no baseline file in one scan, is
        damaged, or where the box is most of the image.
    """
    frame, scan, every = layout.frame, layout.scan, layout.restart
    if frame is None or scan is None or not every or data[-2:] != _END_OF_IMAGE:
        return None
    height, width = struct.unpack_from(">HH", data, frame + 5)
    across = -(-width // unit[1])
    if across % every and every % across:
        return None  # an interval goes from one row to the next
    # Height and width of an interval, pixels; how many there are; which ones the box touches.
    tall, wide = max(every // across, 1) * unit[0], min(every, across) * unit[1]
    grid_rows, grid_columns = -(-height // tall), -(-width // wide)
    above, below = rows[0] // tall, -(-rows[1] // tall)
    before, after = columns[0] // wide, -(-columns[1] // wide)
    if (below - above) * (after - before) > _WORTH * grid_rows * grid_columns:
        return None
    places = _intervals(data, scan)
    if len(places) != grid_rows * grid_columns + 1:
        return None
    places = places[above * grid_columns : below * grid_columns + 1]
    firsts, lasts = places[before:-1:grid_columns], places[after::grid_columns]
    pieces = [data[at:to] for at, to in zip(firsts.tolist(), lasts.tolist(), strict=True)]
    cut = bytearray(b"".join([data[:scan], *pieces]))
    # Markers count up to seven and begin again.
    lengths = np.diff(places).reshape(-1, grid_columns)[:, before:after]
    marks = scan - 1 + np.cumsum(lengths)
    np.frombuffer(cut, np.uint8)[marks] = _FIRST_RESTART + np.arange(len(marks)) % 8
    cut[-1] = _END_OF_IMAGE[1]
    top, left = above * tall, before * wide
    size = min(below * tall, height) - top, min(after * wide, width) - left
    struct.pack_into(">HH", cut, frame + 5, *size)
    return CutJpeg(cut, top, left, *size)


def _intervals(data: bytes, scan: int) -> Int64[np.ndarray, " n_plus_1"]:
    """Where each interval begins, and the end of the file."""
    coded = np.frombuffer(data, np.uint8)
    marked = np.flatnonzero(coded[scan:-1] == 0xFF) + (scan + 1)
    marked = marked[coded[marked] & 0xF8 == _FIRST_RESTART] + 1
    return np.concatenate([[scan], marked, [len(data)]])
