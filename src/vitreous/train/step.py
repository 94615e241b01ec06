"""Before the optimiser moves: accumulate, check, clip."""

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vitreous.objective.contract import Objective, Task
from vitreous.parallel.collect import gather_texts, shard, total, whole, world_size
from vitreous.parallel.device import Engine
from vitreous.parallel.strategy import unsynced


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


def accumulate(
    model: nn.Module, objective: Objective, task: Task, engine: Engine, micro_batch: int
) -> tuple[float, dict[str, float]]:
    """Forward and backward over a batch in pieces; gradients add up to the whole batch's mean.

    Over several ranks, each with a task of the same length, all get the mean over all of them;
    they exchange gradients once.

    Returns:
        Loss and measures, means over the batch.

    Raises:
        NonFiniteError: The loss is not finite, on whichever rank; nothing has moved.
    """
    pieces = task.slices(micro_batch)
    sums: dict[str, Tensor | float] = {"loss": 0.0}
    for number, piece in enumerate(pieces, 1):
        share = len(piece.images) / len(task.images)
        with unsynced(model) if number < len(pieces) else nullcontext():
            with engine.autocast():
                outcome = objective.measure(model, piece)
            (outcome.loss * share).backward()
        sums["loss"] += outcome.loss.detach() * share
        for name, value in outcome.measures.items():
            sums[name] = sums.get(name, 0.0) + value * share
    # One wait for the device.
    numbers = torch.stack([torch.as_tensor(value) for value in sums.values()]).tolist()
    loss, *means = (number / world_size() for number in total(numbers))
    if loss != loss or loss in (float("inf"), float("-inf")):
        raise NonFiniteError(f"the loss is {loss}")
    return loss, dict(zip(list(sums)[1:], means, strict=True))


def check_and_clip(model: nn.Module, limit: float) -> float:
    """The global gradient norm; gradients are scaled down to `limit` where that is not 0.

    Raises:
        NonFiniteError: A gradient is not finite; names the parameter where that began.
    """
    parameters = [p for p in model.parameters() if p.grad is not None]
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    number = float(whole(norm))
    if number != number or number == float("inf"):
        raise NonFiniteError(_broken_gradient(model))
    if limit > 0:
        torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)
    return number


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
