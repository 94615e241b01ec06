"""An objective's own loss on images that were not trained on."""

import numpy as np
import torch
from torch import nn

from vitreous.data.loader import EvaluationLoader
from vitreous.objective.contract import Objective
from vitreous.parallel.device import Engine


@torch.inference_mode()
def measure_part(
    model: nn.Module, objective: Objective, loader: EvaluationLoader, engine: Engine
) -> dict[str, float]:
    """Means of an objective's loss and measures over a part, without augmentation.

    What is drawn belongs to the image and not to the run, so that runs can be compared.

    Args:
        model: What the objective trains, on the engine's device.
        objective: Any.
        loader: Gives each image once.
        engine: Device and precision.
    """
    model.eval()
    sums: dict[str, float] = {}
    images = 0
    for batch in loader:
        batch = batch.rows(batch.mask).to(engine.device)
        if not len(batch):
            continue
        task = objective.prepare(batch, np.random.default_rng(0))
        with engine.autocast():
            outcome = objective.measure(model, task)
        images += len(batch)
        for name, value in {"loss": outcome.loss, **outcome.measures}.items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(batch)
    return {name: value / images for name, value in sums.items()}
