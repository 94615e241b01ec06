"""ViT-L/16 from Google's `.npz`, against reading the bytes of the file into new memory.

python benchmarks/load.py
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from vitreous.bench.machine import where
from vitreous.model.build import create_model
from vitreous.weights.load import load
from vitreous.weights.npz import write_npz
from vitreous.weights.recognise import family_to_write
from vitreous.weights.rule import to_theirs

ROUNDS = 15
# The memory that a new process holds at most, above what it holds before; as Linux tells it.
PEAK = """
import sys
from vitreous.weights.load import load
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
load(sys.argv[1])
before = peak()
for _ in range(int(sys.argv[3])):
    model = None
    model = load(sys.argv[2])
print(peak() - before)
"""


def write(name: str, file: Path) -> Path:
    """A random checkpoint in the layout of the published ones."""
    model = create_model(name)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.02)
    family = family_to_write("google", model.config, {})
    write_npz(file, to_theirs(family.rules(model.config), dict(model.state_dict())))
    return file


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of processors; the result is let go afterwards."""
    begin, processor = time.perf_counter(), time.process_time()
    result = run()
    seconds = time.perf_counter() - begin, time.process_time() - processor
    del result
    return seconds


def peak(small: Path, large: Path, times: int) -> float:
    """Memory held at most while loading, in sizes of the file."""
    command = [sys.executable, "-c", PEAK, str(small), str(large), str(times)]
    held = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return int(held) / large.stat().st_size


def main() -> None:
    print(where())
    with tempfile.TemporaryDirectory() as folder:
        small = write("ViT-Ti/16", Path(folder) / "Ti_16.npz")
        large = write("ViT-L/16", Path(folder) / "L_16.npz")
        reads, loads = [], []
        for _ in range(ROUNDS + 1):
            reads.append(timed(large.read_bytes))
            loads.append(timed(lambda: load(large)))
        print("\n| | on the clock, s | of processors, s |\n|---|---|---|")
        rows = {
            name: list(zip(*seconds[1:], strict=True))  # the first warms up
            for name, seconds in (("read", reads), ("load", loads))
        }
        for name, columns in rows.items():
            print(f"| {name} | {' | '.join(f'{statistics.median(c):.2f}' for c in columns)} |")
        ratios = [
            statistics.median(b / a for a, b in zip(*pair, strict=True))
            for pair in zip(rows["read"], rows["load"], strict=True)
        ]
        print(f"| load / read | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |")
        for times in (1, 3):
            held = peak(small, large, times)
            print(f"\nload {times} time(s): at most {held:.2f} times the file's size held")


if __name__ == "__main__":
    main()
