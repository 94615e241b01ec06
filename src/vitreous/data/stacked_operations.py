"""The operations of RandAugment and TrivialAugment on many small images at once, to Pillow's bits.

On an image of 32 pixels most of what an operation of Pillow's costs is the call. What only changes
levels is a table of 256 here, and what only moves pixels a table of places: Pillow makes either
once, of a ramp or of the places' numbers, and arrays are looked up in them.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from PIL import Image

from vitreous.data.operations import GREY, RAND, Ranges, operations

Stack = UInt8[np.ndarray, "n C H W"]
Strengths = Float64[np.ndarray, " n"]
Tables = UInt8[np.ndarray, "n c 256"]

_NUMBER = {name: number for number, name in enumerate(operations(RAND))}
_RAMP = np.arange(256, dtype=np.uint8)


def apply_to_stack(
    images: Stack, ranges: Ranges, kinds: Int64[np.ndarray, " n"], strengths: Strengths
) -> None:
    """One operation for each image, in place.

    Args:
        images: Pixels at the model's size; 1 or 3 channels.
        ranges: What strength 1 is.
        kinds: Operations, by their number in `vitreous.data.operations.operations`.
        strengths: Of each.
    """
    for names, apply in _APPLY:
        numbers = [_NUMBER[name] for name in names]
        rows = np.flatnonzero(np.isin(kinds, numbers))
        if len(rows):
            images[rows] = apply(images[rows], ranges, kinds[rows], strengths[rows])


def _relevel(
    images: Stack, ranges: Ranges, kinds: Int64[np.ndarray, " n"], strengths: Strengths
) -> Stack:
    """Levels, by a table for each image and channel."""
    n, C = images.shape[:2]
    tables = np.empty((n, C, 256), np.uint8)
    for name, tabulate in _TABLES.items():
        rows = np.flatnonzero(kinds == _NUMBER[name])
        if len(rows):
            tables[rows] = tabulate(images[rows], ranges, strengths[rows])
    places = images.reshape(n * C, -1) + 256 * np.arange(n * C)[:, None]
    return tables.reshape(-1).take(places).reshape(images.shape)


def _of_pillow(name: str) -> "Tabulate":
    """Tables that do not depend on the image."""

    def tabulate(images: Stack, ranges: Ranges, strengths: Strengths) -> Tables:
        return np.stack([_table(name, s, ranges) for s in strengths.tolist()])[:, None]

    return tabulate


@lru_cache(4096)
def _table(name: str, strength: float, ranges: Ranges) -> UInt8[np.ndarray, " 256"]:
    return np.asarray(operations(ranges)[name](Image.fromarray(_RAMP[None]), strength))[0]


def _contrast(images: Stack, ranges: Ranges, strengths: Strengths) -> Tables:
    means = (_grey(images).mean((1, 2)) + 0.5).astype(np.int64)
    factors = _factors(ranges, strengths)
    return _blended(means[:, None, None], _RAMP, factors[:, None, None])


def _autocontrast(images: Stack, ranges: Ranges, strengths: Strengths) -> Tables:
    low, high = images.min((2, 3)).astype(np.int64), images.max((2, 3))
    scale = 255.0 / np.maximum(high - low, 1)
    tables = (_RAMP * scale[..., None] - (low * scale)[..., None]).clip(0, 255).astype(np.uint8)
    return np.where((high > low)[..., None], tables, _RAMP)


def _equalize(images: Stack, ranges: Ranges, strengths: Strengths) -> Tables:
    n, C = images.shape[:2]
    places = images.reshape(n * C, -1) + 256 * np.arange(n * C)[:, None]
    counts = np.bincount(places.ravel(), minlength=n * C * 256).reshape(n, C, 256)
    high = images.max((2, 3)).astype(np.int64)
    total = images.shape[2] * images.shape[3]
    step = (total - np.take_along_axis(counts, high[..., None], 2)) // 255
    below = counts.cumsum(2) - counts
    tables = ((step // 2 + below) // np.maximum(step, 1)).clip(0, 255).astype(np.uint8)
    return np.where(step > 0, tables, _RAMP)


def _move(
    images: Stack, ranges: Ranges, kinds: Int64[np.ndarray, " n"], strengths: Strengths
) -> Stack:
    """Pixels to other places, by a table of where each comes from."""
    n, C, H, W = images.shape
    padded = np.full((n, C, H * W + 1), GREY, np.uint8)  # what comes from nowhere is the last one
    padded[..., :-1] = images.reshape(n, C, -1)
    moved = np.empty_like(images).reshape(n, C, -1)
    for row, (kind, strength) in enumerate(zip(kinds.tolist(), strengths.tolist(), strict=True)):
        padded[row].take(_places(_MOVES[kind], strength, ranges, H, W), 1, moved[row])
    return moved.reshape(images.shape)


@lru_cache(1024)
def _places(name: str, strength: float, ranges: Ranges, H: int, W: int) -> Int64[np.ndarray, " HW"]:
    numbers = Image.fromarray(np.arange(H * W, dtype=np.int32).reshape(H, W))
    return np.asarray(operations(ranges)[name](numbers, strength)).astype(np.int64).ravel()


def _enhance(
    images: Stack, ranges: Ranges, kinds: Int64[np.ndarray, " n"], strengths: Strengths
) -> Stack:
    """Away from, or towards, what has no colours or no edges."""
    grey = kinds == _NUMBER["saturation"]
    dull = np.empty_like(images)
    dull[grey] = _grey(images[grey])[:, None]
    dull[~grey] = _smooth(images[~grey])
    return _blended(dull, images, _factors(ranges, strengths)[:, None, None, None])


def _grey(images: Stack) -> Int64[np.ndarray, "n H W"]:
    """Pillow's own weights of red, green and blue, in 65,536ths."""
    if images.shape[1] == 1:
        return images[:, 0].astype(np.int64)
    red, green, blue = images.astype(np.int64).transpose(1, 0, 2, 3)
    return 19595 * red + 38470 * green + 7471 * blue + 0x8000 >> 16


def _smooth(images: Stack) -> Stack:
    """Pillow's SMOOTH: each pixel five times, and its eight neighbours; the border stays."""
    dull, wide = images.copy(), images.astype(np.int64)
    columns = wide[..., :-2] + wide[..., 1:-1] + wide[..., 2:]
    sums = columns[:, :, :-2] + columns[:, :, 1:-1] + columns[:, :, 2:]
    inside = (..., slice(1, -1), slice(1, -1))
    dull[inside] = (sums + 4 * wide[inside] + 6) // 13  # rounded: no half is a thirteenth
    return dull


def _factors(ranges: Ranges, strengths: Strengths) -> Float64[np.ndarray, " n"]:
    return np.maximum(1 + ranges.enhance * strengths, 1 - ranges.enhance)


def _blended(
    dull: np.ndarray, bright: np.ndarray, factors: Float64[np.ndarray, "..."]
) -> UInt8[np.ndarray, "..."]:
    """Pillow's blend: in float32, and cut off."""
    dull, bright = dull.astype(np.float32), bright.astype(np.float32)
    blended = dull + factors.astype(np.float32) * (bright - dull)
    return blended.clip(0, 255).astype(np.uint8)


Tabulate = Callable[[Stack, Ranges, Strengths], Tables]

_TABLES: Mapping[str, Tabulate] = {
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "contrast": _contrast,
    **{name: _of_pillow(name) for name in ("solarize", "posterize", "brightness")},
}
_MOVES = {
    _NUMBER[name]: name for name in ("rotate", "shear x", "shear y", "translate x", "translate y")
}
_APPLY = (
    (tuple(_TABLES), _relevel),
    (tuple(_MOVES.values()), _move),
    (("saturation", "sharpness"), _enhance),
)
