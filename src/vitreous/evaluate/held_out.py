"""An objective's own loss on images that were not trained on."""

import numpy as np
import torch
from torch import nn

from vitreous.data.loader import EvaluationLoader
from vitreous.objective.contract import Objective
from vitreous.parallel.collect import total
from vitreous.parallel.device import Engine


@torch.inference_mode()
def measure_part(
    model: nn.Module, objective: Objective, loader: EvaluationLoader, engine: Engine
) -> dict[str, float]:
    """Means of an objective's loss and measures over a part, without augmentation.

    What is drawn belongs to the image and not to the run, so that runs can be compared. Where the
    loader shares the part among ranks, all get the means over all.

    Args:
        model: What the objective trains, on the engine's device.
        objective: Any.
        loader: Gives each image once.
        engine: Device and precision.
    """
    model.eval()
    sums: dict[str, float] = {}
    for batch in loader:
        images = int(batch.mask.sum())
        # Ranks go side by side: one that has no image left runs the others' batch for nothing.
        rows = batch.mask if images else ~batch.mask
        batch = batch.rows(rows).to(engine.device)
        task = objective.prepare(batch, np.random.default_rng(0))
        with engine.autocast():
            outcome = objective.measure(model, task)
        sums["images"] = sums.get("images", 0.0) + images
        for name, value in {"loss": outcome.loss, **outcome.measures}.items():
            sums[name] = sums.get(name, 0.0) + float(value) * images
    numbers = list(sums.values())
    if loader.world_size > 1:
        numbers = total(numbers)
    count, *values = numbers
    return {name: value / count for name, value in zip(list(sums)[1:], values, strict=True)}
