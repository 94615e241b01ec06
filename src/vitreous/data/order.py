"""The order of training images, as arithmetic: position -> (epoch, index)."""

from functools import lru_cache

import numpy as np
from jaxtyping import Int64


class Order:
    """An endless sequence of epochs, each a new permutation of all images.

    Epochs follow one another without a gap, so that every batch is full and every image still
    comes once an epoch. The whole state of a run's order is one number, the position.

    Args:
        total: Images in the part.
        seed: The permutation of an epoch is a function of (seed, epoch).
    """

    def __init__(self, total: int, seed: int) -> None:
        self.total = total
        self.seed = seed
        # A batch may straddle two epochs, and more where the set is smaller than the batch.
        self._permutation = lru_cache(maxsize=4)(self._draw)

    def __getitem__(self, position: int) -> tuple[int, int]:
        """(epoch, index) of the sample at a position counted from the start of training."""
        epoch, place = divmod(position, self.total)
        return epoch, int(self._permutation(epoch)[place])

    def _draw(self, epoch: int) -> Int64[np.ndarray, " n"]:
        return np.random.default_rng((self.seed, epoch)).permutation(self.total)
