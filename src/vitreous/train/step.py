"""One optimiser step: accumulate, check, clip, move."""

from dataclasses import dataclass

import torch
from torch import nn

from vitreous.objective.contract import Objective, Task
from vitreous.parallel.device import Engine


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

    Returns:
        Loss and measures, means over the batch.

    Raises:
        NonFiniteError: The loss is not finite; gradients are incomplete and nothing has moved.
    """
    total = len(task.images)
    loss, measures = 0.0, dict[str, float]()
    for piece in task.slices(micro_batch):
        share = len(piece.images) / total
        with engine.autocast():
            outcome = objective.measure(model, piece)
        (outcome.loss * share).backward()
        loss += float(outcome.loss.detach()) * share
        for name, value in outcome.measures.items():
            measures[name] = measures.get(name, 0.0) + float(value) * share
    if loss != loss or loss in (float("inf"), float("-inf")):
        raise NonFiniteError(f"the loss is {loss}")
    return loss, measures


def check_and_clip(model: nn.Module, limit: float) -> float:
    """The global gradient norm; gradients are scaled down to `limit` where that is not 0.

    Raises:
        NonFiniteError: A gradient is not finite; names the first parameter.
    """
    parameters = [p for p in model.parameters() if p.grad is not None]
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if not bool(torch.isfinite(norm)):
        for name, parameter in model.named_parameters():
            if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all()):
                raise NonFiniteError(f"the gradient of {name} is not finite")
        raise NonFiniteError("the norm of the gradient is not finite")
    if limit > 0:
        torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)
    return float(norm)
