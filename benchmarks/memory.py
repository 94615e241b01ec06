"""Peak memory of a training step beside timm's, each in a process of its own.

python benchmarks/memory.py --batch 32
"""

import argparse
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
from vitreous.train.step import accumulate, move

TIMM = {"ViT-Ti/16": "vit_tiny_patch16_224", "ViT-B/16": "vit_base_patch16_224"}
CLASSES = 1000

Step = Callable[[Tensor, Tensor], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ViT-B/16", choices=TIMM)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--precision", default="float32", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measured(options.side, options.model, options.batch, options.precision)))
        return
    print(where())
    for precision in ("float32", "bfloat16"):
        print(f"{options.model}, batch {options.batch}, {precision}")
        results = {}
        for side in ("timm", "vitreous"):
            command = [sys.executable, __file__, "--side", side, "--precision", precision]
            command += ["--model", options.model, "--batch", str(options.batch)]
            said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            results[side] = json.loads(said.splitlines()[-1])
        for name, theirs in results["timm"].items():
            ours = results["vitreous"][name]
            print(f"  {name}: timm {theirs:.2f}, vitreous {ours:.2f}: {ours / theirs:.3f} x")


def measured(side: str, name: str, batch: int, precision: str) -> dict[str, float]:
    """GiB at the height of a step, and its processor time."""
    build = _theirs if side == "timm" else _ours
    before = _of_process("VmRSS")
    torch.manual_seed(0)
    with profile(profile_memory=True) as profiler:
        step = build(name, precision)
        step(*_batch(2))  # makes the optimiser's averages
        images, labels = _batch(batch)
        begin = time.process_time()
        step(images, labels)
        seconds = time.process_time() - begin
        resident = _of_process("VmHWM") - before
    results = profiler.profiler.kineto_results.events()
    # What PyTorch's allocator gave out and took back, in order.
    changes = [(e.start_ns(), e.nbytes()) for e in results if e.name() == "[memory]"]
    tensors = max(itertools.accumulate(change for _, change in sorted(changes))) / 2**30
    return {"tensors, GiB": tensors, "resident, GiB": resident, "processor time, s": seconds}


def _batch(size: int) -> tuple[Tensor, Tensor]:
    return torch.randn(size, 3, 224, 224), torch.arange(size) % CLASSES


def _theirs(name: str, precision: str) -> Step:
    import timm

    model = timm.create_model(TIMM[name], num_classes=CLASSES).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step(images: Tensor, labels: Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = F.cross_entropy(model(images).float(), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    return step


def _ours(name: str, precision: str) -> Step:
    model = create_model(name, num_classes=CLASSES, dropout=0.0).train()
    optimizers = build_optimizers(model, OptimizerConfig(learning_rate=1e-4))
    objective = Classification(CLASSES, Preprocessing(size=(224, 224)), Augmentation())
    engine = choose_engine("cpu", precision)

    def step(images: Tensor, labels: Tensor) -> None:
        task = Task(images, F.one_hot(labels, CLASSES).float())
        move(model, optimizers, accumulate(model, objective, task, engine, len(images)), 1.0)

    return step


def _of_process(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(field))
    return int(line.split()[1]) / 2**20


if __name__ == "__main__":
    main()
