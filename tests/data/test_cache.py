import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vitreous.data.cache import PixelCache, free_memory
from vitreous.errors import BadImageError

Memory = Callable[..., object]


def test_what_fits_is_decoded_once(memory: Memory) -> None:
    part = memory(3)
    cache = PixelCache(part, 4, capacity=10_000)
    for _ in range(3):
        for index in range(3):
            assert (cache.read(index) == index).all()
    assert part.reads == [0, 1, 2]


def test_the_capacity_is_kept(memory: Memory) -> None:
    part = memory(4)
    one = part.pixels[0].nbytes
    cache = PixelCache(part, 4, capacity=2 * one + 1)
    for _ in range(2):
        for index in range(4):
            assert (cache.read(index) == index).all()
    assert part.reads == [0, 1, 2, 3, 2, 3]
    assert cache.room == 1


def test_an_image_that_two_threads_decode_counts_once() -> None:
    class Slow:
        gate = threading.Barrier(2)

        def read(self, index: int, min_side: int | None) -> np.ndarray:
            self.gate.wait(10)
            return np.zeros((2, 2, 3), np.uint8)

    cache = PixelCache(Slow(), 4, capacity=24)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(cache.read, [0, 0]))
    assert cache.room == 12


def test_the_part_is_told_the_least_side() -> None:
    class Sides:
        def read(self, index: int, min_side: int | None) -> np.ndarray:
            return np.full((1, 1, 1), min_side, np.uint8)

    assert PixelCache(Sides(), 77).read(0).item() == 77


def test_an_unreadable_image_is_not_kept(memory: Memory) -> None:
    part = memory(2, bad=(1,))
    cache = PixelCache(part, 4)
    for _ in range(2):
        with pytest.raises(BadImageError):
            cache.read(1)
    assert part.reads == [1, 1]


def test_free_memory_is_plausible() -> None:
    assert 1 << 24 < free_memory() < 1 << 45


def test_whether_all_fits_is_told_by_a_few_images(memory: Memory) -> None:
    part = memory(1000, bad=(0, 999))
    one = part.pixels[0].nbytes
    assert PixelCache(part, 4, capacity=1000 * one).holds_all
    assert not PixelCache(part, 4, capacity=1000 * one - 1).holds_all
    assert len(part.reads) <= 32
    assert not PixelCache(memory(1, bad=(0,)), 4).holds_all
