"""Seconds until something has happened: help, imports, one image named.

python benchmarks/start.py [--rounds 7]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

import vitreous
from vitreous.bench.machine import where
from vitreous.cli.main import VERBS

FACE = "vitreous.load, vitreous.predict, vitreous.create_model"  # names are imported when asked for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print(where())
    with tempfile.TemporaryDirectory() as folder:
        weights, image = _files(Path(folder))
        read = f"from safetensors.torch import load_file; load_file({str(weights)!r})"
        python, verb = [sys.executable, "-c"], [sys.executable, "-m", "vitreous"]
        found = _in_turns(
            {
                "import torch": [*python, "import torch"],
                "import torch, vitreous": [*python, "import torch, vitreous"],
                "its public names": [*python, f"import torch, vitreous; {FACE}"],
                "torch, and ViT-B/16's weights": [*python, f"import torch; {read}"],
                "vitreous predict, ViT-B/16": [*verb, "predict", str(weights), str(image)],
            },
            rounds,
        )
    print("\n| | clock, s | processor, s |\n|---|---:|---:|")
    for name, seconds in found.items():
        print(_row(name, seconds))
    plain, whole = found["torch, and ViT-B/16's weights"], found["vitreous predict, ViT-B/16"]
    torch_alone, both = found["import torch"], found["import torch, vitreous"]
    for place, clock in enumerate(("clock", "processor")):
        ratio = median(a[place] / b[place] for a, b in zip(whole, plain, strict=True))
        beyond = median(a[place] - b[place] for a, b in zip(both, torch_alone, strict=True))
        print(
            f"\nBy the {clock}: `import vitreous` {beyond:.2f} s beyond torch's; `predict` "
            f"{ratio:.2f} x torch and the weights"
        )
    print("\n| command | clock, s | processor, s |\n|---|---:|---:|")
    helps = {
        f"vitreous {' '.join([*words, '--help'])}": [*verb, *words, "--help"]
        for words in ([], *([name] for name in VERBS))
    }
    for name, seconds in _in_turns(helps, rounds).items():
        print(_row(name, seconds))


def _row(name: str, seconds: list[tuple[float, float]]) -> str:
    clock, processor = (median(column) for column in zip(*seconds, strict=True))
    return f"| {name} | {clock:.2f} | {processor:.2f} |"


def _files(folder: Path) -> tuple[Path, Path]:
    torch.manual_seed(0)
    model = vitreous.create_model("ViT-B/16").eval()
    torch.nn.init.normal_(model.head.weight, std=0.02)
    vitreous.save(model, folder / "model.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "image.jpg")
    return folder / "model.safetensors", folder / "image.jpg"


def _in_turns(
    commands: Mapping[str, list[str]], rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """(By the clock, of the processor) of each command in each round, after one to warm up."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            begin, used = time.perf_counter(), _processor_seconds()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if number:
                seconds[name].append((time.perf_counter() - begin, _processor_seconds() - used))
    return seconds


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
