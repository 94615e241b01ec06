"""What is timed: a forward pass, or a step of training, ready to be called again and again."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from vitreous.bench.case import QUANTISED, Case
from vitreous.bench.memory import bytes_of
from vitreous.bench.subject import Subject
from vitreous.data.augmentation import Augmentation
from vitreous.export.optimized import optimize
from vitreous.model.classifier import Classifier
from vitreous.objective.classify import Classification
from vitreous.objective.contract import Task
from vitreous.parallel.device import Engine, choose_engine
from vitreous.parallel.strategy import compile_blocks
from vitreous.train.config import OptimizerConfig
from vitreous.train.optimizer import build_optimizers
from vitreous.train.step import accumulate, move
from vitreous.weights.passport import passport_of

# Of every subject's step: AdamW as most recipes for ViTs have it, at a rate that moves little.
_OPTIMIZER = OptimizerConfig(learning_rate=1e-6, weight_decay=0.05, clip=1.0)


@dataclass(frozen=True)
class Job:
    """A subject at its work.

    Attributes:
        run: One call: the logits of a forward pass, or the loss of a step.
        held: Bytes that stay between calls: weights, and what the optimiser keeps.
        precision: Of the products.
    """

    run: Callable[[], Tensor]
    held: Callable[[], int]
    precision: str


def prepare(
    subject: Subject,
    case: Case,
    pixels: UInt8[Tensor, "B C H W"],
    images: Float[Tensor, "B C H W"],
    num_classes: int,
) -> Job:
    """Make a subject ready; its weights are moved and changed in place.

    Args:
        subject: On the CPU.
        case: What it shall do.
        pixels: On the case's device.
        images: The same, normalised, float32.
        num_classes: K.
    """
    model = subject.model.to(case.device)
    match case.work:
        case "default":
            return _default(subject, model, case, images)
        case "inference":
            return _inference(subject, model, case, pixels, images)
        case "training":
            return _training(subject, model, case, images, num_classes)


def _inference(
    subject: Subject, model: nn.Module, case: Case, pixels: Tensor, images: Tensor
) -> Job:
    if isinstance(model, Classifier) and (case.mode == "compiled" or case.precision in QUANTISED):
        compiled = None if case.mode == "compiled" else False
        fast = optimize(
            model, pixels, device=case.device, precision=case.precision, compiled=compiled
        )
        return Job(lambda: cast(Tensor, fast(pixels)), lambda: _held(fast), case.precision)
    dtype = getattr(torch, case.floating)
    images = images.to(dtype)
    called = _compiled(model.to(dtype), case)

    @torch.inference_mode()
    def run() -> Tensor:
        return subject.answer(called, images)

    return Job(run, lambda: _held(model), case.floating)


def _default(subject: Subject, model: nn.Module, case: Case, images: Tensor) -> Job:
    """Ours with the precision that `predict` chooses, the others as they come."""
    engine = choose_engine(case.device) if isinstance(model, Classifier) else None

    @torch.inference_mode()
    def run() -> Tensor:
        with nullcontext() if engine is None else engine.autocast():
            return subject.answer(model, images)

    return Job(run, lambda: _held(model), "float32" if engine is None else engine.precision)


def _training(
    subject: Subject, model: nn.Module, case: Case, images: Tensor, num_classes: int
) -> Job:
    labels = torch.arange(len(images), device=images.device) % num_classes
    targets = F.one_hot(labels, num_classes).float()
    engine = Engine(torch.device(case.device), case.floating, "as asked")
    called = _compiled(model.train(), case)
    if isinstance(model, Classifier):
        optimizers = build_optimizers(model, _OPTIMIZER)
        step = _our_step(model, optimizers, engine, Task(images, targets))
    else:
        optimizers = [_by_hand(model)]
        step = _step(subject, called, optimizers[0], engine, images, targets)
    return Job(step, lambda: _held(model, *optimizers), case.precision)


def _compiled(model: nn.Module, case: Case) -> nn.Module:
    """What is called in the case's mode: ours by blocks, as `train` does, others as their users."""
    if case.mode == "eager":
        return model
    if isinstance(model, Classifier):
        compile_blocks(model.blocks)
        return model
    return cast(nn.Module, torch.compile(model))


def _our_step(
    model: Classifier, optimizers: list[Optimizer], engine: Engine, task: Task
) -> Callable[[], Tensor]:
    """What the training loop does with a batch."""
    rule = passport_of(model).preprocessing
    objective = Classification(model.config.num_classes, rule, Augmentation())

    def step() -> Tensor:
        sums = accumulate(model, objective, task, engine, len(task.images))
        return torch.tensor(move(model, optimizers, sums, _OPTIMIZER.clip).loss)

    return step


def _step(
    subject: Subject,
    model: nn.Module,
    optimizer: Optimizer,
    engine: Engine,
    images: Float[Tensor, "B C H W"],
    targets: Float[Tensor, "B K"],
) -> Callable[[], Tensor]:
    """The same work, as a careful user of PyTorch writes it."""

    def step() -> Tensor:
        with engine.autocast():
            loss = F.cross_entropy(subject.answer(model, images).float(), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), _OPTIMIZER.clip)
        optimizer.step()
        optimizer.zero_grad()
        return torch.tensor(loss.item())

    return step


def _by_hand(model: nn.Module) -> Optimizer:
    """PyTorch's fused AdamW, the fastest there is, with decay on matrices only."""
    parameters = list(model.parameters())
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim >= 2]},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups,
        lr=_OPTIMIZER.learning_rate,
        betas=_OPTIMIZER.betas,
        weight_decay=_OPTIMIZER.weight_decay,
        fused=True,
    )


def _held(model: nn.Module, *optimizers: Optimizer) -> int:
    kept = [
        value
        for optimizer in optimizers
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, Tensor)
    ]
    return bytes_of([*model.parameters(), *model.buffers(), *kept])
