"""Trials on the tasks of VTAB-1k, and the mean over all 19 of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from vitreous.data.sample import Dataset
from vitreous.evaluate.vtab import find_sets, open_task, score_linear
from vitreous.evaluate.vtab_tasks import TASKS, Task
from vitreous.experiments.cache import read_outcome
from vitreous.experiments.checkpoints import check_loads, digest_of
from vitreous.experiments.collection import sampled_fingerprint
from vitreous.experiments.experiment import Setting
from vitreous.experiments.results import Outcome
from vitreous.experiments.trial import Trial
from vitreous.experiments.twin import architecture


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskTrial(Trial):
    """One checkpoint on one task.

    Attributes:
        row: The checkpoint's name, which is no part of the outcome: that is shared by content.
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
        """The weights, the images, and how."""
        return {
            "kind": "vtab finetuned" if self.finetuned else "vtab linear",
            "model": digest_of(self.model),
            "task": self.task.name,
            "data": sampled_fingerprint(self.dataset.parts),
        }

    def check(self) -> None:
        """Load the checkpoint, so that none is refused when others are done.

        Raises:
            UserError: It cannot be read; names the file.
        """
        check_loads(self.model)

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Fine-tune on the 1,000 in the trial's folder; or features once, and a probe."""
        from vitreous.weights.load import load, read_passport

        if self.finetuned:
            from rich.console import Console

            from vitreous.train.vtab import finetune_task

            row = finetune_task(
                str(self.model), self.task, self.dataset, folder / "run", Console(quiet=True)
            )
            del row["run"]
        else:
            from vitreous.parallel.device import choose_engine

            row = score_linear(
                load(self.model), self.task, self.dataset, choose_engine("auto", "float32")
            )
        facts = row | {"architecture": architecture(read_passport(self.model).architecture)}
        return Outcome({self.task.name: row["accuracy"]}, facts=facts)


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanTrial(Trial):
    """The mean of one checkpoint over tasks.

    Attributes:
        row: The checkpoint's name.
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
        from vitreous.weights.load import read_passport

        first = self.tasks[0]
        mean = fmean(read_outcome(finished(trial)).values[trial.task.name] for trial in self.tasks)
        facts = {
            "architecture": architecture(read_passport(first.model).architecture),
            "finetuned": first.finetuned,
        }
        return Outcome({self.column: mean}, facts=facts)


def present_tasks(setting: Setting) -> dict[Task, str]:
    """The tasks whose sets lie in the user's data, in `vtab-1k/` or else beside it, and where."""
    folder = setting.data.folder
    found: dict[Task, str] = {}
    for place in (folder, folder / "vtab-1k"):
        if place.is_dir():
            found |= find_sets(place)
    return {task: found[task] for task in TASKS if task in found}


def task_trials(setting: Setting, models: Mapping[str, Path]) -> list[TaskTrial]:
    """Checkpoints, by name, on all tasks that are there."""
    opened = [(task, open_task(task, address)) for task, address in present_tasks(setting).items()]
    return [
        TaskTrial(
            row=name,
            model=model,
            task=task,
            dataset=dataset,
            finetuned=setting.scale == "lab",
        )
        for name, model in models.items()
        for task, dataset in opened
    ]


def mean_trials(setting: Setting, models: Mapping[str, Path], column: str) -> list[MeanTrial]:
    """The mean over all 19 tasks; none where a task is missing: the table has no other mean."""
    if len(present_tasks(setting)) < len(TASKS):
        return []
    trials = task_trials(setting, models)
    return [
        MeanTrial(
            row=name,
            column=column,
            tasks=[trial for trial in trials if trial.row == name],
        )
        for name in models
    ]
