"""Decoded pixels kept in memory where the whole part fits: later epochs decode nothing."""

import os
import threading

import numpy as np
from jaxtyping import UInt8

from vitreous.data.sample import Part

# Share of the memory that is free when training begins; the rest is the model's.
_SHARE = 0.25


class PixelCache:
    """Reads a part at reduced scale and remembers the pixels, up to a share of free memory.

    Safe from several threads: at worst an image is decoded twice, and kept once.

    Args:
        part: What is read.
        min_side: Least shorter side, pixels; JPEGs are decoded at the smallest scale that keeps
            it.
        capacity: Bytes; a quarter of the free memory where not given.
    """

    def __init__(self, part: Part, min_side: int, capacity: int | None = None) -> None:
        self.part = part
        self.min_side = min_side
        self.room = capacity if capacity is not None else int(free_memory() * _SHARE)
        self._kept: dict[int, UInt8[np.ndarray, "H W C"]] = {}
        self._lock = threading.Lock()

    def read(self, index: int) -> UInt8[np.ndarray, "H W C"]:
        """Pixels of one image.

        Raises:
            BadImageError: It cannot be decoded.
        """
        pixels = self._kept.get(index)
        if pixels is None:
            pixels = self.part.read(index, self.min_side)
            with self._lock:
                if pixels.nbytes <= self.room and index not in self._kept:
                    self.room -= pixels.nbytes
                    self._kept[index] = pixels
        return pixels


def free_memory() -> int:
    """Bytes of memory that a process may still take without swapping."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
