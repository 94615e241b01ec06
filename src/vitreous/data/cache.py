"""Decoded pixels kept in memory where the whole part fits: later epochs decode nothing."""

import os
import threading
from functools import cached_property

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.sample import Part
from vitreous.errors import BadImageError

CAPACITY = 1 << 30
"""Bytes of pixels that are kept at the most, unless another limit is given."""

# Images that are read to tell how many bytes the whole part will take.
_SAMPLE = 16


class PixelCache:
    """Reads a part at reduced scale and remembers the pixels, up to a number of bytes.

    Safe from several threads: at worst an image is decoded twice, and kept once. A pickled copy
    keeps nothing: each of many processes would come to hold the whole part.

    Args:
        part: What is read.
        min_side: Least shorter side, pixels; JPEGs are decoded at the smallest scale that keeps
            it.
        capacity: Bytes.
    """

    def __init__(self, part: Part, min_side: int, capacity: int = CAPACITY) -> None:
        self.part = part
        self.min_side = min_side
        self.capacity = self.room = capacity
        self._kept: dict[int, UInt8[np.ndarray, "H W C"]] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["PixelCache"], tuple[Part, int, int]]:
        return PixelCache, (self.part, self.min_side, 0)

    @cached_property
    def holds_all(self) -> bool:
        """Whether the whole part will fit, by the mean of a few images spread over it.

        A function of the part and the capacity, and not of the machine: how an image is read
        decides its pixels, and a run that goes on elsewhere shall go on the same.
        """
        total = len(self.part.labels)
        sizes = []
        for index in np.linspace(0, total - 1, min(total, _SAMPLE)).astype(int).tolist():
            try:
                sizes.append(self.part.read(index, self.min_side).nbytes)
            except BadImageError:
                continue  # it will be counted when its turn comes
        return bool(sizes) and sum(sizes) / len(sizes) * total <= self.capacity

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

    def gather(
        self, indices: Int64[np.ndarray, " b"], size: tuple[int, int]
    ) -> UInt8[np.ndarray, "b H W C"] | None:
        """Copies of some images (see `vitreous.data.sample.GatherPart`)."""
        images = []
        for index in indices.tolist():
            pixels = self._kept.get(index)
            if pixels is None or pixels.shape[:2] != size:
                return None
            images.append(pixels)
        return np.stack(images) if images else None


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
