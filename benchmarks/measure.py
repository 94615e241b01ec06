"""Interleaved timing: A B A B, medians, and where it was measured."""

import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import torch


def interleave(
    runs: Mapping[str, Callable[[], object]], rounds: int, *, processor_time: bool = False
) -> dict[str, list[float]]:
    """Seconds of each run in each round, in turns, after one round to warm up.

    By the clock, or of all processors' work, which other programs hardly change.
    """
    clock = time.process_time if processor_time else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(rounds + 1):
        for name, run in runs.items():
            begin = clock()
            run()
            if round_:
                seconds[name].append(clock() - begin)
    return seconds


def median_ratio(slow: list[float], fast: list[float]) -> float:
    """Median over rounds of how many times faster the second is, within each round."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def where() -> str:
    """Machine, date, versions and commit, in one line."""
    info = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    processor = f"{len(models)} x {models[0]}" if models else platform.processor()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        f"{processor} ({torch.backends.cpu.get_cpu_capability()}), {torch.get_num_threads()} "
        f"threads; {date.today()}; PyTorch {torch.__version__}, Python "
        f"{platform.python_version()}; commit {commit}"
    )
