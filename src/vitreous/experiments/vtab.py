"""Trials on the tasks of VTAB-1k, and the mean over all 19 of them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from vitreous.data.sample import Dataset
from vitreous.evaluate.vtab import find_sets, open_task, score_linear
from vitreous.evaluate.vtab_tasks import TASKS, Task
from vitreous.experiments.cache import read_outcome
from vitreous.experiments.experiment import Setting
from vitreous.experiments.results import Outcome
from vitreous.experiments.subject import check_loads, digest_of
from vitreous.experiments.trial import Trial


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskTrial(Trial):
    """One checkpoint on one task.

    Attributes:
        row: The task.
        model: The checkpoint.
        task: Which.
        dataset: Of it.
        finetuned: By the paper's one setting; else a linear probe on frozen features.
    """

    model: Path
    task: Task
    dataset: Dataset
    finetuned: bool = False

    @cached_property
    def key(self) -> dict[str, Any]:
        """The weights, the names and labels of all images, and how."""
        seen = hashlib.sha256()
        for name, part in sorted(self.dataset.parts.items()):
            seen.update(repr((name, list(part.names), part.labels.tolist())).encode())
        return {
            "kind": "vtab finetuned" if self.finetuned else "vtab linear",
            "model": digest_of(self.model),
            "task": self.task.name,
            "data": seen.hexdigest()[:16],
        }

    def check(self) -> None:
        """Load the checkpoint, so that none is refused when others are done.

        Raises:
            UserError: It cannot be read; names the file.
        """
        check_loads(self.model)

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Fine-tune on the 1,000 in the trial's folder; or features once, and a probe."""
        if self.finetuned:
            from rich.console import Console

            from vitreous.train.vtab import finetune_task

            row = finetune_task(
                str(self.model), self.task, self.dataset, folder / "run", Console(quiet=True)
            )
            del row["run"]
        else:
            from vitreous.parallel.device import choose_engine
            from vitreous.weights.load import load

            row = score_linear(
                load(self.model), self.task, self.dataset, choose_engine("auto", "float32")
            )
        return Outcome({self.model.stem: row["accuracy"]}, facts=row)


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanTrial(Trial):
    """The mean of one checkpoint over tasks.

    Attributes:
        row: The checkpoint.
        column: Of the mean.
        tasks: What it is the mean of, all of the same checkpoint.
    """

    column: str
    tasks: Sequence[TaskTrial]

    @property
    def needs(self) -> Sequence[Trial]:
        """Each task's trial."""
        return self.tasks

    @cached_property
    def key(self) -> dict[str, Any]:
        """The tasks' trials."""
        return {"kind": "vtab mean", "tasks": [task.digest for task in self.tasks]}

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Read, and average."""
        from vitreous.weights.load import load

        model = self.tasks[0].model
        outcomes = [read_outcome(finished(task)) for task in self.tasks]
        mean = fmean(outcome.values[model.stem] for outcome in outcomes)
        return Outcome({self.column: mean}, facts={"architecture": load(model).config.name})


def present_tasks(setting: Setting) -> dict[Task, str]:
    """The tasks whose sets lie in the user's data, there or in `vtab-1k/`, and where."""
    folder = setting.data.folder
    return find_sets(next((f for f in (folder / "vtab-1k", folder) if f.is_dir()), folder))


def task_trials(setting: Setting, models: Sequence[Path]) -> list[TaskTrial]:
    """Checkpoints on all tasks that are there, task by task."""
    opened = [(task, open_task(task, address)) for task, address in present_tasks(setting).items()]
    return [
        TaskTrial(
            row=task.name,
            model=model,
            task=task,
            dataset=dataset,
            finetuned=setting.scale == "lab",
        )
        for task, dataset in opened
        for model in models
    ]


def mean_trials(setting: Setting, models: Sequence[Path], column: str) -> list[MeanTrial]:
    """The mean over all 19 tasks; none where a task is missing: the table has no other mean."""
    if len(present_tasks(setting)) < len(TASKS):
        return []
    trials = task_trials(setting, models)
    return [
        MeanTrial(
            row=model.stem,
            column=column,
            tasks=[trial for trial in trials if trial.model == model],
        )
        for model in models
    ]
