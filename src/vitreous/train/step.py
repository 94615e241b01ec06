"""One step of training: accumulate gradients, check and clip them, move the weights."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from vitreous.objective.contract import Objective, Task
from vitreous.parallel.collect import gather_texts, shard, total, whole, world_size
from vitreous.parallel.device import Engine
from vitreous.parallel.strategy import unsynced
from vitreous.train.muon import BatchedMuon


@dataclass(frozen=True)
class StepResult:
    """What a step measured, as numbers on the host.

    Attributes:
        loss: Mean over the batch, nats.
        measures: Named means over the batch.
        gradient_norm: Global norm before clipping.
    """

    loss: float
    measures: dict[str, float]
    gradient_norm: float


class NonFiniteError(ArithmeticError):
    """The loss or a gradient is not finite; the weights have not moved."""


Sums = dict[str, Tensor]
"""Loss and named measures of a batch on this rank, scalars on the device."""


def accumulate(
    model: nn.Module, objective: Objective, task: Task, engine: Engine, micro_batch: int
) -> Sums:
    """Forward and backward over a batch in pieces; gradients add up to the whole batch's mean.

    Over several ranks, each with a task of the same length, gradients become the mean over all of
    them; they are exchanged once. Nothing is waited for.

    Returns:
        `loss` and the measures, means over this rank's task.
    """
    pieces = task.slices(micro_batch)
    sums: Sums = {}
    for number, piece in enumerate(pieces, 1):
        share = len(piece.images) / len(task.images)
        with unsynced(model) if number < len(pieces) else nullcontext(), engine.exact():
            with engine.autocast():
                outcome = objective.measure(model, piece)
            (outcome.loss * share).backward()
        found = {"loss": outcome.loss.detach()} | outcome.measures
        for name, value in found.items():
            sums[name] = sums[name] + value * share if name in sums else value * share
    return sums


def move(model: nn.Module, optimizers: Sequence[Optimizer], sums: Sums, limit: float) -> StepResult:
    """Check loss and gradients, clip these to `limit` where that is not 0, and move the weights.

    All gradients are gone afterwards. Where the loss or a gradient is not finite, on whichever
    rank, neither weights nor optimisers have moved. One GPU alone is asked once a step, when all
    of it is under way: its optimisers look at a flag of its own, and it need not stand still while
    the host decides.

    Args:
        model: Whose gradients they are.
        optimizers: Of its parameters.
        sums: Of the whole batch, as `accumulate` gives them.
        limit: Of the global norm.

    Returns:
        Means over all ranks, and the norm before clipping.

    Raises:
        NonFiniteError: The loss, or a gradient: names the parameter where that began.
    """
    moving = [
        parameter
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]
    norm = whole(torch.nn.utils.get_total_norm([p.grad for p in moving if p.grad is not None]))
    if _look_for_themselves(optimizers, norm):
        _step_flagged(optimizers, limit, norm, torch.isfinite(norm) & torch.isfinite(sums["loss"]))
        result = _checked(model, sums, norm)
    else:
        result = _checked(model, sums, norm)
        if limit > 0:
            torch.nn.utils.clip_grads_with_norm_(moving, limit, norm)
        for optimizer in optimizers:
            optimizer.step()
    for optimizer in optimizers:
        optimizer.zero_grad()
    return result


def _look_for_themselves(optimizers: Sequence[Optimizer], norm: Tensor) -> bool:
    """Whether they take a flag that keeps them from moving; SGD's first step has none to heed."""
    able = all(isinstance(optimizer, AdamW | BatchedMuon) for optimizer in optimizers)
    return able and norm.device.type == "cuda" and world_size() == 1


def _step_flagged(
    optimizers: Sequence[Optimizer], limit: float, norm: Tensor, finite: Tensor
) -> None:
    """Move where all is finite, by the names under which PyTorch's GradScaler tells optimisers.

    They clip on the way: gradients are divided by `grad_scale`.
    """
    scale = ((norm + 1e-6) / limit).clamp(min=1) if limit > 0 else torch.ones_like(norm)
    told = {"found_inf": (~finite).float(), "grad_scale": scale.where(finite, 1)}
    for optimizer in optimizers:
        vars(optimizer).update(told)
        optimizer.step()
        vars(optimizer).update(dict.fromkeys(told))


def _checked(model: nn.Module, sums: Sums, norm: Tensor) -> StepResult:
    """All numbers, in one wait for the device.

    Raises:
        NonFiniteError: Some are not.
    """
    values = [value.to(norm.device, torch.float32) for value in sums.values()]
    *own, gradient_norm = torch.stack([*values, norm.float()]).tolist()
    loss, *means = (number / world_size() for number in total(own))
    if not math.isfinite(loss):
        raise NonFiniteError(f"the loss is {loss}")
    if not math.isfinite(gradient_norm):
        raise NonFiniteError(_broken_gradient(model))
    return StepResult(loss, dict(zip(list(sums)[1:], means, strict=True)), gradient_norm)


def _broken_gradient(model: nn.Module) -> str:
    """Gradients come from the head to the patches: the last parameter is where it began."""
    names = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and not bool(torch.isfinite(shard(parameter.grad)).all())
    ]
    told = {name for text in gather_texts("\n".join(names)) for name in text.split("\n") if name}
    order = [name for name, _ in model.named_parameters() if name in told]
    if not order:
        return "the norm of the gradient is not finite"
    others = f" ({len(order)} parameters' are not)" if len(order) > 1 else ""
    return f"the gradient of {order[-1]} is not finite{others}"
