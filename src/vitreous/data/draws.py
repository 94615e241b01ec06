"""Random numbers for a whole stretch of samples at once, each from a stream of its own."""

import numpy as np
from jaxtyping import Float64, Int64, UInt64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_WORD = (1 << 64) - 1


class Draws:
    """Streams of uniform numbers, one a sample; each call takes the next of every stream.

    A stream is a function of its sample's key alone: neither of the samples beside it nor of how
    many there are. It costs what a few sums over arrays cost; a NumPy generator for each sample
    would take longer than the sample's other work where images are small.

    Source: SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
    generators"), begun at a hash of the key by its own finaliser.

    Args:
        key: What a sample is known by: integers shared by all, or an array of one a sample.
    """

    def __init__(self, *key: int | Int64[np.ndarray, " B"]) -> None:
        state = np.zeros(1, np.uint64)
        for part in key:
            number = np.uint64(part & _WORD) if isinstance(part, int) else part.astype(np.uint64)
            state = _mixed((state ^ number) + _GOLDEN)
        self._state = state
        self._taken = 0

    def __len__(self) -> int:
        return len(self._state)

    def random(self, count: int) -> Float64[np.ndarray, "B count"]:
        """Numbers in [0, 1)."""
        turns = np.arange(self._taken + 1, self._taken + count + 1, dtype=np.uint64)
        self._taken += count
        bits = _mixed(self._state[:, None] + turns * _GOLDEN)
        return (bits >> np.uint64(11)) * 2.0**-53

    def uniform(self, low: float, high: float, count: int) -> Float64[np.ndarray, "B count"]:
        """Numbers in [low, high)."""
        return low + (high - low) * self.random(count)

    def integers(self, stop: int, count: int) -> Int64[np.ndarray, "B count"]:
        """Integers from 0 to `stop`, without it; even as far as `stop` is far below 2^53."""
        return (stop * self.random(count)).astype(np.int64)


def _mixed(bits: UInt64[np.ndarray, "..."]) -> UInt64[np.ndarray, "..."]:
    """SplitMix64's finaliser: each bit of the input changes each of the output half of the time."""
    bits = (bits ^ bits >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ bits >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return bits ^ bits >> np.uint64(31)
