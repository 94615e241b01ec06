"""Classes that a data set has as numbers, without names."""

import numpy as np
from jaxtyping import Int64, Shaped

MOST_NUMBERED = 1_000_000
"""From this number on, numbers are taken for names (of products, say): no model has such a head."""


def numbered_classes(
    labels: Shaped[np.ndarray, " n"],
) -> tuple[tuple[str, ...], Int64[np.ndarray, " n"]]:
    """Name classes by their numbers.

    Args:
        labels: Integers of any kind, from 0.

    Returns:
        Class names, and class indices. All numbers up to the largest are classes, as long as that
        is below `MOST_NUMBERED`; else those that occur, in their order.
    """
    count = int(labels.max()) + 1 if labels.size else 0
    if count <= MOST_NUMBERED:
        return tuple(map(str, range(count))), labels.astype(np.int64)
    present, codes = np.unique(labels, return_inverse=True)
    return tuple(map(str, present.tolist())), codes.astype(np.int64)
