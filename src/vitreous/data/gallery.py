"""All parts of a data set in one row, so that images of different parts can be compared."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from jaxtyping import UInt8

from vitreous.data.sample import PART_NAMES, Dataset, Labels, Part, label_words


class Gallery:
    """Every image of a data set (a `vitreous.data.sample.Part`): test, then validation, then train.

    Of two images that show the same, the later one is thus the one that training can spare.

    Args:
        dataset: Its parts are read where they are.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.parts = [(n, dataset.parts[n]) for n in reversed(PART_NAMES) if n in dataset.parts]
        self._ends = np.cumsum([len(part.labels) for _, part in self.parts])

    @cached_property
    def names(self) -> Sequence[str]:
        """A name per image."""
        return [name for _, part in self.parts for name in part.names]

    @cached_property
    def labels(self) -> Labels:
        """Class indices, or multi-hot rows."""
        return np.concatenate([part.labels for _, part in self.parts])

    def place(self, index: int) -> tuple[str, Part, int]:
        """Of one image: its part's name, its part, and its position there."""
        number = int(np.searchsorted(self._ends, index, side="right"))
        name, part = self.parts[number]
        return name, part, index - int(self._ends[number]) + len(part.labels)

    def class_of(self, index: int) -> str:
        """Name of one image's class; where it may have several, all of them."""
        return label_words(self.dataset.class_names, self.labels[index])

    def read(self, index: int, min_side: int | None = None) -> UInt8[np.ndarray, "H W C"]:
        """Decode one image (see `vitreous.data.sample.Part.read`)."""
        _, part, position = self.place(index)
        return part.read(position, min_side)
