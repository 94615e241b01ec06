"""Fine-tuning on one task of VTAB-1k."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from vitreous.data.sample import Dataset
from vitreous.data.split import Subset
from vitreous.evaluate.vtab import row_of
from vitreous.evaluate.vtab_tasks import Task
from vitreous.train.config import TrainConfig
from vitreous.train.overrides import override
from vitreous.train.recipes.facts import Facts
from vitreous.train.recipes.vtab import vtab
from vitreous.train.run import train
from vitreous.train.run_folder import RunFolder, check_same
from vitreous.weights.load import load
from vitreous.weights.passport import passport_of


def finetune_task(
    weights: str,
    task: Task,
    dataset: Dataset,
    out: Path,
    console: Console,
    fields: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Train on all 1,000 images of a task by the paper's one setting, and measure on its test part.

    A mirror or a window is left out where it would change the label, as in BiT.

    Args:
        weights: Checkpoint or run folder to start from.
        task: Which.
        dataset: Of `vitreous.evaluate.vtab.open_task`.
        out: Run folder; a begun one is gone on with, and a finished one only read.
        console: For the bar and the lines.
        fields: Of the config, in place of the recipe's, by dotted name.

    Returns:
        The row of `vitreous.evaluate.vtab.row_of`, with `run`, the folder.

    Raises:
        UserError: As `train`.
    """
    config = _config(weights, task, dataset, fields or {})
    own = [dataset.parts["train"], dataset.parts["validation"]]
    both = Subset(
        own,
        np.concatenate([np.arange(len(part.labels)) for part in own]),
        np.repeat(np.arange(2, dtype=np.uint8), [len(part.labels) for part in own]),
    )
    data = replace(dataset, parts={"train": both, "test": dataset.parts["test"]})
    folder = RunFolder(out)
    done = out / "report.json"
    if done.is_file():
        check_same(config.with_length(len(both.labels)), folder.read_config())
        report = json.loads(done.read_text(encoding="utf-8"))
    else:
        report = train(config, data, out, console, resume=True)
        assert report is not None, "there is a test part"
    total = report["num_images"]
    right = round(report["accuracy"] * total)
    return {**row_of(task, dataset, right, total, report["skipped"]), "run": str(out)}


def _config(weights: str, task: Task, dataset: Dataset, fields: Mapping[str, str]) -> TrainConfig:
    model = load(weights)
    facts = Facts(
        data=dataset.address,
        num_images=sum(len(dataset.parts[part].labels) for part in ("train", "validation")),
        num_classes=dataset.num_classes,
        channels=dataset.channels,
        image_size=dataset.image_size,
        gpu=torch.cuda.is_available(),
        weights=weights,
        trained=(model.config, passport_of(model).preprocessing),
    )
    config = vtab(facts)
    kept = config.augmentation
    augmentation = replace(
        kept, flip=kept.flip if task.mirrors else 0.0, window=kept.window if task.crops else 1.0
    )
    return override(replace(config, augmentation=augmentation), fields)
