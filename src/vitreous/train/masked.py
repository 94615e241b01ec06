"""What a run without labels measures and shows: the objective itself, on images not trained on."""

import json
from typing import Any

import numpy as np
import torch
from torch import nn

from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader
from vitreous.durable import write_text
from vitreous.evaluate.held_out import measure_part
from vitreous.objective.masked_patch import MaskedPatch
from vitreous.parallel.device import Engine
from vitreous.report.reconstruction import write_reconstructions
from vitreous.train.loop import Loop

_BATCH = 128
_SHOWN = 16


def report_masked(loop: Loop, learner: nn.Module, part: str, engine: Engine) -> dict[str, Any]:
    """Measure a run's result on one part, and write report.json and reconstructions.html.

    Args:
        loop: The run, done; its objective hides patches.
        learner: Its result, whole, on the engine's device.
        part: Of the data.
        engine: Device and precision.

    Returns:
        What report.json holds: `objective`, `loss` and its measures, `part`, `num_images`,
        `model`, `data`, `run`, `seconds`.

    Raises:
        UserError: The folder cannot be written.
    """
    objective = loop.objective
    assert isinstance(objective, MaskedPatch)
    config, images, folder = loop.config, loop.dataset.parts[part], loop.folder
    faults = Faults(len(images.names), config.bad_limit)
    loader = EvaluationLoader(images, config.preprocessing, batch_size=_BATCH, faults=faults)
    means = measure_part(learner, objective, loader, engine)
    report = {
        "objective": config.objective.kind,
        **means,
        "part": part,
        "num_images": len(images.names) - len(faults.reasons),
        "model": config.model.name,
        "data": config.data,
        "run": folder.path.name,
        "seconds": loop.state.seconds,
    }
    write_text(folder.path / "report.json", json.dumps(report, indent=1) + "\n")
    first = next(iter(loader))
    shown = first.rows(first.mask & (torch.arange(len(first)) < _SHOWN)).to(engine.device)
    with torch.inference_mode():
        task = objective.prepare(shown, np.random.default_rng(0))
        reconstruction = objective.reconstruct(learner, task)
    names = [images.names[index] for index in shown.index.tolist()]
    write_reconstructions(
        folder.path / "reconstructions.html", report, reconstruction, names, loop.log.history
    )
    return report
