from collections.abc import Callable

import numpy as np
import pytest

from vitreous.errors import BadImageError


class Memory:
    """A part in memory; images of some names cannot be read."""

    def __init__(
        self, count: int, size: tuple[int, int], channels: int, bad: tuple[int, ...]
    ) -> None:
        self.names = [f"{index:03}" for index in range(count)]
        self.labels = np.arange(count) % 3
        self.bad = bad
        # Every pixel tells which image it is, whatever crop or mirror leaves of it.
        self.pixels = np.broadcast_to(
            np.arange(count, dtype=np.uint8)[:, None, None, None], (count, *size, channels)
        )
        self.reads: list[int] = []

    def read(self, index: int, min_side: int | None = None) -> np.ndarray:
        self.reads.append(index)
        if index in self.bad:
            raise BadImageError(self.names[index], "broken")
        return self.pixels[index].copy()


@pytest.fixture
def memory() -> Callable[..., Memory]:
    """A part of small plain images, each of its own grey: its number."""

    def make(
        count: int = 10,
        size: tuple[int, int] = (6, 9),
        channels: int = 3,
        bad: tuple[int, ...] = (),
    ) -> Memory:
        return Memory(count, size, channels, bad)

    return make
