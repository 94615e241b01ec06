"""The order of training images, as arithmetic: position -> (epoch, index)."""

from functools import lru_cache

import numpy as np
from jaxtyping import Int64

# Up to here an epoch's permutation is drawn and kept (8 MB); above it is computed where it is
# needed, which takes no memory at 300 million images and about a microsecond an image.
_DRAWN = 1 << 20
_ROUNDS = 6


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
        make = self._draw if total <= _DRAWN else self._keys
        # A batch may straddle two epochs, and more where the set is smaller than the batch.
        self._epoch = lru_cache(maxsize=4)(make)

    def __reduce__(self) -> tuple[type["Order"], tuple[int, int]]:
        return Order, (self.total, self.seed)

    def __getitem__(
        self, positions: Int64[np.ndarray, " n"]
    ) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
        """(epoch, index) of the samples at positions counted from the start of training."""
        epochs, places = np.divmod(positions, self.total)
        indices = np.empty_like(places)
        for epoch in np.unique(epochs).tolist():
            own, made = epochs == epoch, self._epoch(epoch)
            drawn = self.total <= _DRAWN
            indices[own] = made[places[own]] if drawn else _shuffle(places[own], self.total, made)
        return epochs, indices

    def _draw(self, epoch: int) -> Int64[np.ndarray, " n"]:
        return np.random.default_rng((self.seed, epoch)).permutation(self.total)

    def _keys(self, epoch: int) -> Int64[np.ndarray, " rounds"]:
        return np.random.default_rng((self.seed, epoch)).integers(1 << 62, size=_ROUNDS)


def _shuffle(
    places: Int64[np.ndarray, " n"], total: int, keys: Int64[np.ndarray, " rounds"]
) -> Int64[np.ndarray, " n"]:
    """Where a keyed bijection of range(total) sends places.

    A Feistel network over the next even number of bits; what falls outside goes through it again
    until it is inside ("cycle walking"), four times at the most on average.

    Source: Black and Rogaway 2002, "Ciphers with arbitrary finite domains"; the mixing of a round
    is the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
    """
    half = np.uint64(((total - 1).bit_length() + 1) // 2)
    mask = (np.uint64(1) << half) - np.uint64(1)
    sent = places.astype(np.uint64)
    outside = np.ones(len(sent), bool)
    while outside.any():
        left, right = sent[outside] >> half, sent[outside] & mask
        for key in keys.astype(np.uint64):
            mixed = (right ^ key) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
            left, right = right, left ^ mixed >> np.uint64(31) & mask
        sent[outside] = left << half | right
        outside[outside] = sent[outside] >= total
    return sent.astype(np.int64)
