"""Memory of the host that is freed and soon wanted again: kept, and not given back each time."""

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

# As malloc.h numbers what can be set.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
# By which a user has decided already.
_SETTINGS = (
    "GLIBC_TUNABLES",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_MMAP_MAX_",
    "MALLOC_TOP_PAD_",
)


@cache
def keep_freed_memory() -> bool:
    """Have this process keep the pages that it frees, as PyTorch keeps those of a GPU.

    Linux's C library gives large pieces back to the system when they are freed, and a forward or
    backward pass on a CPU takes and frees the same ones each time: the system then clears every
    page anew, 7 to 14 % of the time (benchmarks/host_memory.md). Once a process; on other systems,
    and where the environment has settings of its own for the allocator, nothing is changed.

    Returns:
        Whether they are kept.
    """
    if any(name in os.environ for name in _SETTINGS):
        return False
    set_option = _allocator("mallopt")
    if set_option is None:
        return False
    # Nothing from the system but by growing the heap, and nothing of that back.
    return bool(set_option(_MMAP_MAX, 0) and set_option(_TRIM_THRESHOLD, -1))


def return_freed_memory() -> None:
    """Give the system what is free now, so that it counts as free; what comes is kept again."""
    if (trim := _allocator("malloc_trim")) is not None:
        trim(0)


def _allocator(name: str) -> Callable[..., Any] | None:
    """A function of glibc's malloc; None where there is no glibc."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            function: Callable[..., Any] = getattr(ctypes.CDLL(None), name)
            return function
    return None
