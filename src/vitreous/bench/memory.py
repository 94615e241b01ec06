"""How much memory a piece of work needs beside what lies there already."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor

from vitreous.parallel.host_memory import return_freed_memory

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def working_memory(run: Callable[[], object], device: str) -> int | None:
    """Most bytes that one call held at a time, beyond what was held before it.

    On the CPU this is the peak of the process's resident memory, as Linux keeps it, which is put
    back to the present first; None where there is no such thing.
    """
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    return_freed_memory()  # what is freed but kept would count as held before
    try:
        _CLEAR.write_text("5")
        before = _resident("VmRSS")
        run()
        return max(0, _resident("VmHWM") - before)
    except (OSError, LookupError):
        return None


def recorded_memory(device: str) -> int:
    """Bytes that CUDA graphs keep for their replays, which allocate nothing that could be seen.

    As the allocator took them from the GPU, for all graphs of this process.
    """
    if torch.device(device).type != "cuda":
        return 0
    return sum(
        segment["total_size"]
        for segment in torch.cuda.memory_snapshot()
        if tuple(segment["segment_pool_id"]) != (0, 0)  # the pool of all that is no graph's
    )


def _resident(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(field)
    return int(found[1]) * 1024


def bytes_of(tensors: Iterable[Tensor]) -> int:
    """What tensors hold, each counted once."""
    # A kernel's own layout has no address to be known by.
    alone = {id(t) if t.is_mkldnn else t.data_ptr(): t for t in tensors}
    return sum(tensor.numel() * tensor.element_size() for tensor in alone.values())


def available_memory() -> int | None:
    """Bytes that programs can still have; None where Linux does not say."""
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return None if found is None else int(found[1]) * 1024
