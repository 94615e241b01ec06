"""Image files that lie at offsets of larger files: tars, read in place."""

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from vitreous.data.sources.encoded import check_bytes

# Files kept open at once: fewer than any system allows, enough that few are opened twice.
_OPEN = 128


class SpanStore:
    """Images at offsets of files.

    Reads are positioned (`os.pread`), so threads and forked processes share descriptors safely; an
    unpickled copy opens its own. No file is touched before one of its images is wanted.

    Args:
        paths: The files.
        files: Of each image, the position of its file in `paths`.
        offsets: Where each image begins in its file, bytes.
        sizes: Bytes of each image.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        files: Int64[np.ndarray, " n"],
        offsets: Int64[np.ndarray, " n"],
        sizes: Int64[np.ndarray, " n"],
    ) -> None:
        self.paths, self.files, self.offsets, self.sizes = paths, files, offsets, sizes
        self._opened = lru_cache(maxsize=_OPEN)(_Descriptor)

    def __reduce__(self) -> tuple[type["SpanStore"], tuple[object, ...]]:
        return SpanStore, (self.paths, self.files, self.offsets, self.sizes)

    def fetch(self, position: int) -> bytes:
        """The whole file of one image (see `Store.fetch`)."""
        size = int(self.sizes[position])
        check_bytes(size)
        path = self.paths[self.files[position]]
        try:
            file = self._opened(path)
            data = os.pread(file.number, size, int(self.offsets[position]))
        except OSError as fault:
            raise OSError(fault.errno, f"{path.name}: {fault.strerror}") from fault
        if len(data) < size:
            raise OSError(f"{path.name} ends early")
        return data


class _Descriptor:
    """A file open for reading, closed when nobody holds it any longer."""

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "number"):  # not where opening failed
            os.close(self.number)
