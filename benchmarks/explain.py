"""Time and memory of `vitreous explain` on a data set, beside those of `vitreous evaluate`.

OMP_NUM_THREADS=1 python benchmarks/explain.py PHOTOS [FEWER_PHOTOS]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

import vitreous
from vitreous.bench.machine import where
from vitreous.data.open import open_dataset


def run(*arguments: str) -> tuple[float, float]:
    """Seconds of processor time, which other programs hardly change, and peak memory in MiB."""
    command = [sys.executable, "-m", "vitreous", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, arguments
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--model", default="ViT-S/16")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(where())
    print("\n| images | evaluate, s | explain, s | ratio | evaluate, MiB | explain, MiB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        model = Path(folder) / "model.safetensors"
        for data in options.data:
            dataset = open_dataset(data)
            classes = dataset.num_classes
            vitreous.save(vitreous.create_model(options.model, num_classes=classes), model)
            rows = []
            for round_ in range(options.rounds):
                common = (str(model), data, "--batch_size", "32")
                out = str(Path(folder) / f"{Path(data).name}-{round_}")
                evaluated = run("evaluate", *common)
                rows.append((*evaluated, *run("explain", *common, "--out", out)))
            a, b, c, d = (statistics.median(column) for column in zip(*rows, strict=True))
            ratio = statistics.median(row[2] / row[0] for row in rows)
            images = len(next(iter(dataset.parts.values())).labels)
            row = f"| {images:,} | {a:.1f} | {c:.1f} | {ratio:.2f} | {b:,.0f} | {d:,.0f} |"
            print(row, flush=True)


if __name__ == "__main__":
    main()
