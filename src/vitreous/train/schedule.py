"""The learning rate as a function of the step."""

import math

from vitreous.train.config import ScheduleConfig


def learning_rate_factor(schedule: ScheduleConfig, step: int, steps: int) -> float:
    """Share of the peak learning rate at a step, in [0, 1].

    Linear warm-up over the first `warmup` share of the steps, then the shape down to `final`
    (paper, appendix B.1 and Tables 3 and 4).

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
    return schedule.final + (1 - schedule.final) * share
