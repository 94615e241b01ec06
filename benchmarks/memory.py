"""Peak memory of a training step beside timm's, each in a process of its own.

python benchmarks/memory.py --batch 32
"""

import argparse
import gc
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import profile

from vitreous import create_model
from vitreous.bench.machine import where
from vitreous.data.augmentation import Augmentation
from vitreous.data.preprocessing import Preprocessing
from vitreous.objective.classify import Classification
from vitreous.objective.contract import Task
from vitreous.parallel.device import choose_engine
from vitreous.train.config import OptimizerConfig
from vitreous.train.optimizer import build_optimizers
from vitreous.train.step import accumulate, check_and_clip

TIMM = {"ViT-Ti/16": "vit_tiny_patch16_224", "ViT-B/16": "vit_base_patch16_224"}
CLASSES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ViT-B/16", choices=TIMM)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--precision", default="float32", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measured(options.side, options.model, options.batch, options.precision)))
        return
    print(where())
    for precision in ("float32", "bfloat16"):
        sides: dict[str, list[dict[str, float]]] = {"timm": [], "vitreous": []}
        for _ in range(options.rounds):
            for side, results in sides.items():
                command = [sys.executable, __file__, "--side", side, "--precision", precision]
                command += ["--model", options.model, "--batch", str(options.batch)]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                results.append(json.loads(said.splitlines()[-1]))
        print(f"{options.model}, batch {options.batch}, {precision}")
        lowest = {
            side: {name: min(result[name] for result in results) for name in results[0]}
            for side, results in sides.items()
        }
        for name, theirs in lowest["timm"].items():
            ours = lowest["vitreous"][name]
            print(f"  {name}: timm {theirs:.2f}, vitreous {ours:.2f}: {ours / theirs:.3f} x")


def measured(side: str, name: str, batch: int, precision: str) -> dict[str, float]:
    """GiB at the height of a step, and the processor time of one."""
    build = _theirs if side == "timm" else _ours
    before = _of_process("VmRSS")
    step, seconds = build(name, batch, precision), list[float]()
    for _ in range(3):
        begin = time.process_time()
        step()
        seconds.append(time.process_time() - begin)
    resident = _of_process("VmHWM") - before
    del step
    gc.collect()
    return {
        "resident, GiB": resident,
        "tensors, GiB": _tensors(lambda: build(name, batch, precision)),
        "processor time, s": min(seconds),
    }


def _batch(size: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(size, 3, 224, 224), torch.arange(size) % CLASSES


def _theirs(name: str, batch: int, precision: str) -> Callable[[], None]:
    import timm

    images, labels = _batch(batch)
    model = timm.create_model(TIMM[name], num_classes=CLASSES).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = F.cross_entropy(model(images).float(), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    return step


def _ours(name: str, batch: int, precision: str) -> Callable[[], None]:
    images, labels = _batch(batch)
    model = create_model(name, num_classes=CLASSES, dropout=0.0).train()
    optimizers = build_optimizers(model, OptimizerConfig(learning_rate=1e-4))
    objective = Classification(CLASSES, Preprocessing(size=(224, 224)), Augmentation())
    engine = choose_engine("cpu", precision)
    task = Task(images, F.one_hot(labels, CLASSES).float())

    def step() -> None:
        accumulate(model, objective, task, engine, len(images))
        check_and_clip(model, 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    return step


def _tensors(build: Callable[[], Callable[[], None]]) -> float:
    """The most that PyTorch's allocator has given out at any moment of two steps, GiB."""
    with profile(profile_memory=True) as profiler:
        step = build()
        step()
        step()
    results = profiler.profiler.kineto_results.events()
    changes = [
        (event.start_ns(), event.nbytes()) for event in results if event.name() == "[memory]"
    ]
    return max(itertools.accumulate(change for _, change in sorted(changes))) / 2**30


def _of_process(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(field))
    return int(line.split()[1]) / 2**20


if __name__ == "__main__":
    main()
