"""What is freed is kept, where the C library can be told to; measured in processes of their own."""

import os
import subprocess
import sys

import pytest

from vitreous.parallel import host_memory
from vitreous.parallel.host_memory import keep_freed_memory, return_freed_memory

# Pages that the system had to clear when 64 MiB were taken again and again: the fewest.
_PROGRAM = """
import ctypes, resource, sys
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # no huge pages: they would be few
import torch
from vitreous.parallel.host_memory import keep_freed_memory, return_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(keep_freed_memory(), min(faults() for _ in range(40)), return_freed_memory() or faults())
"""


def run(**settings: str) -> tuple[bool, int, int]:
    environment = {k: v for k, v in os.environ.items() if k not in host_memory._SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=environment | settings,
        capture_output=True,
        text=True,
        check=True,
    )
    kept, again, returned = done.stdout.split()
    return kept == "True", int(again), int(returned)


def test_what_is_taken_again_was_kept() -> None:
    kept, again, returned = run()
    if not kept:
        pytest.skip("the C library here is another than glibc")
    assert again < 100
    assert returned > 10_000  # of 16,384


def test_settings_of_the_environment_are_heeded() -> None:
    kept, again, _ = run(MALLOC_MMAP_THRESHOLD_="131072")
    assert not kept
    assert again > 10_000


def test_without_such_an_allocator_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in host_memory._SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory.__wrapped__()
    return_freed_memory()
