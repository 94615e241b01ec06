"""Images that show the same picture: copies, resized, recompressed, slightly cropped, mirrored.

Three sieves, each finer and dearer than the one before. The descriptors of all pairs are multiplied
(`vitreous.data.looks`, `vitreous.data.whitening`); of those that are alike, the descriptors of
windows of one are compared with the other's whole; what is left is laid over one another
(`vitreous.data.alignment`) and compared in its detail. Thresholds were chosen on photographs:
benchmarks/duplicates.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from torch.nn import functional as F

from vitreous.data.alignment import Alignment, align, likeness
from vitreous.data.looks import NUM_EVEN, SIDE, WINDOWS, Looks
from vitreous.data.whitening import Descriptors, whiten

SIMILARITY = 0.9
"""Least correlation of two images' detail at which they count as one picture."""

# Of descriptors: all pairs; the best of the windows. Of detail after aligning at half size.
_WHOLE, _WINDOWS, _HALF = 0.5, 0.82, 0.75
# (steps at half size, at full size)
_STEPS = (6, 3)
_BLOCK, _PAIRS = 2048, 1024


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One pair.

    Attributes:
        first: Position of one image.
        second: Position of the other: a smaller one, or a position in the other set.
        similarity: Correlation of their detail; 1 where the pixels are equal.
        exact: Whether the pixels are equal.
        mirrored: Whether one is the mirror image of the other.
    """

    first: int
    second: int
    similarity: float
    exact: bool = False
    mirrored: bool = False

    @property
    def how(self) -> str:
        """In a word."""
        return "same pixels" if self.exact else "mirrored" if self.mirrored else "alike"


def find_duplicates(
    looks: Looks,
    other: Looks | None = None,
    *,
    similarity: float = SIMILARITY,
    on_progress: Callable[[float], None] | None = None,
) -> list[Duplicate]:
    """Pairs inside a set, or between two.

    Of images with equal pixels inside a set, each is paired with the first one only, and the first
    one alone is compared with the rest.

    Args:
        looks: One set.
        other: Another; then only pairs of an image of `looks` with one of `other` are found.
        similarity: Least correlation of detail, 0 to 1.
        on_progress: Told the share of the work that is done.

    Returns:
        Pairs in the order of `first`, then `second`.
    """
    exact = list(_equal(looks, other))
    rows = np.flatnonzero(looks.descriptors[:, 0].any(1))
    if other is None:
        rows = np.setdiff1d(rows, [pair.first for pair in exact], assume_unique=True)
        columns = rows
    else:
        columns = np.flatnonzero(other.descriptors[:, 0].any(1))
    known = {(pair.first, pair.second) for pair in exact}
    near: list[Duplicate] = []
    described = whiten(
        [looks.descriptors] if other is None else [looks.descriptors, other.descriptors]
    )
    for part in _candidates(described[0], described[-1], rows, columns, other is None, on_progress):
        near += _verify(looks, other or looks, part, similarity)
    near = [pair for pair in near if (pair.first, pair.second) not in known]
    return sorted(exact + near, key=lambda pair: (pair.first, pair.second))


@dataclass(frozen=True)
class _Candidates:
    """Pairs that may be duplicates, and how they may lie over one another."""

    first: Int64[np.ndarray, " p"]
    second: Int64[np.ndarray, " p"]
    mirrored: Bool[np.ndarray, " p"]
    turned: Bool[np.ndarray, " p"]  # the first shows a window of the second, not the reverse
    window: Int64[np.ndarray, " p"]


def _equal(looks: Looks, other: Looks | None) -> Iterator[Duplicate]:
    """Pairs with equal pixels."""
    seen: dict[bytes, int] = {}
    if other is not None:
        for position, digest in reversed(list(enumerate(other.digests.tolist()))):
            seen[digest] = position
    for position, digest in enumerate(looks.digests.tolist()):
        if not digest:
            continue
        if digest in seen:
            yield Duplicate(position, seen[digest], 1.0, exact=True)
        elif other is None:
            seen[digest] = position


def _candidates(
    a: Descriptors,
    b: Descriptors,
    rows: Int64[np.ndarray, " r"],
    columns: Int64[np.ndarray, " c"],
    inside: bool,
    on_progress: Callable[[float], None] | None,
) -> Iterator[_Candidates]:
    """What passes the two sieves of descriptors, block by block; inside a set, each pair once."""
    wholes = torch.from_numpy(a[rows, 0]), torch.from_numpy(b[columns, 0])
    (a_even, a_odd), (b_even, b_odd) = ((x[:, :NUM_EVEN], x[:, NUM_EVEN:]) for x in wholes)
    blocks = [
        (top, left)
        for top in range(0, len(rows), _BLOCK)
        for left in range(0, top + 1 if inside else len(columns), _BLOCK)
    ]
    for number, (top, left) in enumerate(blocks):
        below, right = slice(top, top + _BLOCK), slice(left, left + _BLOCK)
        product = a_even[below] @ b_even[right].T
        product += (a_odd[below] @ b_odd[right].T).abs_()
        i, j = (index.numpy() for index in (product > _WHOLE).nonzero(as_tuple=True))
        first, second = rows[top + i], columns[left + j]
        if inside:
            later = first > second
            first, second = first[later], second[later]
        for start in range(0, len(first), _BLOCK):
            chunk = slice(start, start + _BLOCK)
            yield _compare_windows(a, b, first[chunk], second[chunk])
        if on_progress is not None:
            on_progress((number + 1) / len(blocks))


def _compare_windows(
    a: Descriptors,
    b: Descriptors,
    first: Int64[np.ndarray, " p"],
    second: Int64[np.ndarray, " p"],
) -> _Candidates:
    """Keep the pairs of which a window of one looks like the whole of the other."""
    x, y = a[first], b[second]  # (p, windows, f)
    even, odd = (
        np.concatenate(
            [
                np.einsum("pwf,pf->pw", x[:, :, half], y[:, 0, half]),
                np.einsum("pwf,pf->pw", y[:, :, half], x[:, 0, half]),
            ],
            axis=1,
        )  # (p, 2 windows)
        for half in (slice(NUM_EVEN), slice(NUM_EVEN, None))
    )
    score = even + np.abs(odd)
    best = score.argmax(1)
    every = np.arange(len(best))
    kept = np.flatnonzero(score[every, best] > _WINDOWS)
    mirrored = odd[every, best] < 0
    turned, window = np.divmod(best, len(WINDOWS))
    return _Candidates(
        first[kept], second[kept], mirrored[kept], turned[kept].astype(bool), window[kept]
    )


def _verify(
    looks: Looks, other: Looks, found: _Candidates, similarity: float
) -> Iterator[Duplicate]:
    """Lay candidates over one another, at half size and then at full size."""
    for start in range(0, len(found.first), _PAIRS):
        rows = np.arange(start, min(start + _PAIRS, len(found.first)))
        score, rows = _overlay(looks, other, found, rows)
        for row, value in zip(rows.tolist(), score.tolist(), strict=True):
            if value >= similarity:
                yield Duplicate(
                    int(found.first[row]),
                    int(found.second[row]),
                    min(value, 1.0),
                    mirrored=bool(found.mirrored[row]),
                )


def _overlay(
    looks: Looks, other: Looks, found: _Candidates, rows: Int64[np.ndarray, " p"]
) -> tuple[Float32[np.ndarray, " q"], Int64[np.ndarray, " q"]]:
    """Likeness of the detail of those candidates that are alike at half size."""
    a, b = looks.thumbnails[found.first[rows]], other.thumbnails[found.second[rows]]
    turned = found.turned[rows, None, None]
    source = torch.from_numpy(np.where(turned, b, a)).float()
    target = torch.from_numpy(np.where(turned, a, b)).float()
    mirrored = torch.from_numpy(found.mirrored[rows])
    target = torch.where(mirrored[:, None, None], target.flip(2), target)
    start = Alignment.of_windows(torch.tensor(WINDOWS)[torch.from_numpy(found.window[rows])])
    small = [_half(image) for image in (source, target)]
    coarse = align(small[0], small[1], start, _STEPS[0])
    kept = (likeness(small[0], small[1], coarse) > _HALF).nonzero()[:, 0]
    if not len(kept):
        return np.zeros(0, np.float32), rows[:0]
    source, target = source[kept], target[kept]
    fine = align(source, target, coarse[kept], _STEPS[1])
    return likeness(source, target, fine).numpy(), rows[kept.numpy()]


def _half(images: Tensor) -> Tensor:
    return F.avg_pool2d(images[:, None], SIDE // 32)[:, 0]
