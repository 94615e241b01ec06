"""VTAB-1k: 19 small tasks of three kinds, learnt from 1,000 images each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from vitreous.data.open import BY_SUFFIX, check_labelled, open_dataset
from vitreous.data.sample import Dataset, Part, require_one_label
from vitreous.data.split import Subset, with_validation
from vitreous.errors import UserError
from vitreous.evaluate.features import Labelled, read_features
from vitreous.evaluate.interval import wilson_interval
from vitreous.evaluate.linear_probe import linear_probe
from vitreous.evaluate.vtab_tasks import PUBLISHED, TASKS, Task
from vitreous.model.classifier import Classifier
from vitreous.parallel.device import Engine
from vitreous.weights.adapt import adapt

IMAGES, CHOOSING = 1000, 200
"""Training images of a task, and those of them that choose among settings."""


def find_task(name: str) -> Task:
    """A task by its name in Table 9, its folder or an alias, in any spelling.

    Raises:
        UserError: There is none; names all.
    """
    for task in TASKS:
        if _plain(name) in _names(task):
            return task
    listed = ", ".join(task.folder for task in TASKS)
    raise UserError(f"no task {name!r} in VTAB: there are {listed}")


def find_sets(folder: str | Path) -> dict[Task, str]:
    """The tasks whose data set lies in a folder: a folder or file of the task's name.

    Raises:
        UserError: There is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UserError(f"{folder}: no such folder: give the one that holds a folder for each task")
    present: dict[str, str] = {}
    for path in sorted(root.iterdir()):
        if path.is_dir() or path.suffix.lower() in BY_SUFFIX:
            present.setdefault(_plain(path.stem if path.is_file() else path.name), str(path))
    return {
        task: next(present[name] for name in _names(task) if name in present)
        for task in TASKS
        if any(name in present for name in _names(task))
    }


def missing(tasks: Sequence[Task], found: Mapping[Task, str]) -> list[dict[str, str]]:
    """Which sets are not there: `task`, the `folder` it is looked for in, `images`: their home."""
    return [
        {"task": task.name, "folder": task.folder, "images": task.home}
        for task in tasks
        if task not in found
    ]


def open_task(task: Task, address: str, most: int | None = None) -> Dataset:
    """Open one task's data, with train, validation and test parts.

    Stored parts are taken as they are. Where there is no validation part, at most 1,000 training
    images are drawn, and 200 of 1,000 of them validate: what is not VTAB-1k's own choice of images
    is said in the data set's notes.

    Args:
        task: Which.
        address: Of its data.
        most: Test images at most, drawn by chance.

    Raises:
        UserError: No train or test part, more classes than the task has, or what `open_dataset`
            raises.
    """
    dataset = open_dataset(address, for_training=False)
    if dataset.reading.doubt:
        check_labelled(dataset)
    require_one_label(dataset, "VTAB")
    for part in ("train", "test"):
        if part not in dataset.parts:
            raise UserError(
                f"{address}: has no {part} part, and {task.name} needs one: it has "
                f"{', '.join(dataset.parts)}"
            )
    if dataset.num_classes > task.classes:
        raise UserError(
            f"{address}: has {dataset.num_classes} classes and {task.name} has {task.classes}: is "
            "it another set?"
        )
    notes, parts = dict(dataset.notes), dict(dataset.parts)
    if "validation" not in parts:
        if len(parts["train"].labels) > IMAGES:
            parts["train"] = _drawn(parts["train"], IMAGES)
            notes["train"] = f"{IMAGES} images drawn by chance, and not VTAB-1k's own"
        dataset = replace(dataset, parts=parts, notes=notes)
        dataset = with_validation(dataset, CHOOSING / IMAGES, stratified=False)
        notes, parts = dict(dataset.notes), dict(dataset.parts)
    counts = [len(parts[part].labels) for part in ("train", "validation")]
    if counts != [IMAGES - CHOOSING, CHOOSING]:
        notes["protocol"] = f"{counts[0]} + {counts[1]} training images, and VTAB-1k has 800 + 200"
    if dataset.num_classes < task.classes:
        notes["classes"] = f"{dataset.num_classes} of the task's {task.classes} classes"
    if most is not None and len(parts["test"].labels) > most:
        notes["test"] = f"{most} of {len(parts['test'].labels):,} test images, drawn by chance"
        parts["test"] = _drawn(parts["test"], most)
    return replace(dataset, parts=parts, notes=notes)


def score_linear(
    model: Classifier,
    task: Task,
    dataset: Dataset,
    engine: Engine,
    *,
    batch_size: int = 64,
    bad_limit: float = 0.01,
) -> dict[str, Any]:
    """A linear probe: its penalty chosen on the 200, then fitted to all 1,000.

    Args:
        model: Frozen; made for the data's channels where they are others.
        task: Which.
        dataset: Of `open_task`.
        engine: Device and precision.
        batch_size: Images at once.
        bad_limit: Share of unreadable images over which it stops.

    Returns:
        The row of `row_of`, with `l2`, the penalty that was chosen.
    """
    if model.config.channels != dataset.channels:
        model = adapt(model, channels=dataset.channels, share=True)
    model = model.eval()

    def read(part: str) -> Labelled:
        return read_features(
            model, dataset.parts[part], engine, batch_size=batch_size, bad_limit=bad_limit
        )

    train, validation, test = (read(part) for part in ("train", "validation", "test"))
    found = linear_probe(train, test, validation=validation)
    right = round(found.accuracy * len(test.labels))
    reasons = {**train.skipped, **validation.skipped, **test.skipped}
    skipped = [f"{name}: {reason}" for name, reason in reasons.items()]
    return {**row_of(task, dataset, right, len(test.labels), skipped), "l2": found.l2}


def row_of(
    task: Task, dataset: Dataset, right: int, total: int, skipped: Sequence[str]
) -> dict[str, Any]:
    """What is told of a task: accuracy on its test images with a 95 % interval, beside Table 9.

    Args:
        task: Which.
        dataset: Of `open_task`.
        right: Test images that got their class.
        total: Test images that could be read.
        skipped: Images that could not be, each with its reason.
    """
    return {
        "task": task.name,
        "group": task.group,
        "accuracy": right / total,
        "accuracy_interval": list(wilson_interval(right, total)),
        "num_images": total,
        "skipped": list(skipped),
        "published": {
            column: value / 100 for column, value in zip(PUBLISHED, task.published, strict=True)
        },
        "notes": dict(dataset.notes),
    }


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Means over the tasks of each group and over all, beside the published means of the same.

    Args:
        rows: Of `row_of`, of the tasks that there are.

    Returns:
        A row a group with `group`, `tasks` (how many), `of` (how many it has), `accuracy` and
        `published`; the last one is `all`.
    """
    summary = []
    for group in ("natural", "specialized", "structured", "all"):
        own = [row for row in rows if group in (row["group"], "all")]
        if own:
            summary.append(
                {
                    "group": group,
                    "tasks": len(own),
                    "of": sum(group in (task.group, "all") for task in TASKS),
                    "accuracy": fmean(row["accuracy"] for row in own),
                    "published": {
                        column: fmean(row["published"][column] for row in own)
                        for column in PUBLISHED
                    },
                }
            )
    return summary


def _drawn(part: Part, count: int) -> Subset:
    order = np.random.default_rng(0).permutation(len(part.labels))[:count]
    return Subset([part], np.sort(order))


def _names(task: Task) -> list[str]:
    return [_plain(name) for name in (task.folder, task.name, *task.aliases)]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
