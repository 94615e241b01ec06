"""The learning rate as a function of the step."""

import math
from dataclasses import dataclass

from vitreous.train.config import ScheduleConfig


def learning_rate_factor(schedule: ScheduleConfig, step: int, steps: int) -> float:
    """Share of the peak learning rate at a step, in [0, 1].

    Linear warm-up over the first `warmup` share of the steps, then the shape down to `final`
    (paper, appendix B.1 and Tables 3 and 4), or a tenth at each of the `drops` (BiT).

    Args:
        schedule: Shape, warm-up and end.
        step: Counted from 0.
        steps: Of the whole run.
    """
    warmup = round(schedule.warmup * steps)
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(steps - warmup, 1)
    match schedule.shape:
        case "cosine":
            share = (1 + math.cos(math.pi * progress)) / 2
        case "linear":
            share = 1 - progress
        case "constant":
            return 1.0
        case "drops":
            return 0.1 ** sum(step >= round(at * steps) for at in schedule.drops)
    return schedule.final + (1 - schedule.final) * share


@dataclass(frozen=True)
class Phase:
    """A stretch of steps at one training size.

    Attributes:
        start: First step.
        stop: The step after the last.
        size: (H, W) of the training images, pixels.
    """

    start: int
    stop: int
    size: tuple[int, int]


def phases(schedule: ScheduleConfig, size: tuple[int, int], steps: int) -> list[Phase]:
    """The whole run in stretches of one training size each.

    Args:
        schedule: Its sides, and when each begins.
        size: The model's own, where the schedule has no sides.
        steps: Of the whole run.
    """
    if not schedule.sides:
        return [Phase(0, steps, size)]
    starts = [round(start * steps) for start in schedule.side_starts]
    return [
        Phase(start, stop, (side, side))
        for side, start, stop in zip(schedule.sides, starts, [*starts[1:], steps], strict=True)
        if stop > start
    ]
