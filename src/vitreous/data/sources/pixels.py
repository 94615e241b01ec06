"""Parts whose images lie decoded in one array."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.sample import Labels


class PixelPart:
    """A part of a data set of arrays (see `vitreous.data.sample.Part`).

    The array is kept in memory once loaded; a pickled part takes along how to load it, and not
    the pixels.

    Args:
        names: A unique name per image.
        labels: Class indices, or multi-hot rows.
        load: Gives the pixels.
    """

    def __init__(
        self,
        names: Sequence[str],
        labels: Labels,
        load: Callable[[], UInt8[np.ndarray, "n H W C"]],
    ) -> None:
        self.names, self.labels, self.load = names, labels, load

    @cached_property
    def pixels(self) -> UInt8[np.ndarray, "n H W C"]:
        """All images."""
        return self.load()

    def read(self, index: int, min_side: int | None = None) -> UInt8[np.ndarray, "H W C"]:
        """A copy of one image, whole whatever `min_side` (see `vitreous.data.sample.Part.read`)."""
        return np.array(self.pixels[index])

    def gather(
        self, indices: Int64[np.ndarray, " b"], size: tuple[int, int]
    ) -> UInt8[np.ndarray, "b H W C"] | None:
        """Copies of some images (see `vitreous.data.sample.GatherPart`)."""
        return self.pixels[indices] if self.pixels.shape[1:3] == size else None

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "pixels"}


def numbered(prefix: str, count: int) -> list[str]:
    """Names for images that have none: `prefix/00000`, all of one length, so that they sort."""
    width = max(4, len(str(count - 1)))
    return [f"{prefix}/{index:0{width}d}" for index in range(count)]
