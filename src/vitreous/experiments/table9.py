"""Table 9: VTAB-1k, task by task, with the user's weights and sets."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitreous.data.sample import Dataset
from vitreous.errors import UserError
from vitreous.evaluate.vtab import find_sets, missing, open_task, score_linear, summarise
from vitreous.evaluate.vtab_tasks import PUBLISHED, TASKS, Task
from vitreous.experiments.experiment import Experiment, Scale, Setting
from vitreous.experiments.finding import Finding
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.subject import check_loads, checkpoints, digest_of
from vitreous.experiments.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskTrial(Trial):
    """A linear probe of one checkpoint on one task.

    Attributes:
        row: The task.
        model: The checkpoint.
        task: Which.
        dataset: Of it.
    """

    model: Path
    task: Task
    dataset: Dataset

    @cached_property
    def key(self) -> dict[str, Any]:
        """The weights, and the names and labels of all images."""
        seen = hashlib.sha256()
        for name, part in sorted(self.dataset.parts.items()):
            seen.update(repr((name, list(part.names), part.labels.tolist())).encode())
        return {
            "kind": "vtab linear",
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
        """Features once, a penalty chosen on the 200, accuracy on the test part."""
        from vitreous.parallel.device import choose_engine
        from vitreous.weights.load import load

        row = score_linear(
            load(self.model), self.task, self.dataset, choose_engine("auto", "float32")
        )
        return Outcome({self.model.stem: row["accuracy"]}, facts=row)


def _trials(setting: Setting) -> Sequence[Trial]:
    if setting.weights is None:
        raise UserError("table9 measures trained models: give --weights, a folder of checkpoints")
    folder = setting.data.folder
    found = find_sets(next((f for f in (folder / "vtab-1k", folder) if f.is_dir()), folder))
    if not found:
        listed = ", ".join(task.folder for task in TASKS)
        raise UserError(
            f"{folder}: none of VTAB's sets is there: a folder for each of {listed}, there or in "
            "vtab-1k/ (vitreous vtab --help tells their layouts)"
        )
    return [
        TaskTrial(row=task.name, model=model, task=task, dataset=open_task(task, address))
        for task, address in found.items()
        for model in checkpoints(setting.weights)
    ]


def _findings(results: Results) -> Sequence[Finding]:
    tasks = {task.name: task for task in TASKS}
    absent = missing(TASKS, {tasks[row]: "" for row in results.rows})
    found = []
    for model in dict.fromkeys(column for _, column in results.cells):
        means = summarise(
            [dict(results[row, model].facts[0]) for row in results.rows if (row, model) in results]
        )
        told = "; ".join(
            f"{mean['group']} ({mean['tasks']} of {mean['of']}) {mean['accuracy']:.1%}, "
            f"{PUBLISHED[-1]} {mean['published'][PUBLISHED[-1]]:.1%}"
            for mean in means
        )
        gone = f"; missing: {', '.join(one['task'] for one in absent)}" if absent else ""
        found.append(
            Finding(
                f"{model}: the means of the groups are the paper's",
                "not shown",
                f"{told}; a linear probe here, fine-tuning there (vitreous vtab --method finetune)"
                f"{gone}",
            )
        )
    return found


def _draw(results: Results) -> "Figure":
    from vitreous.report.paper_figures import by_task

    return by_task(
        {
            task.name: (
                {model: cell.mean for model, cell in results.row(task.name).items()},
                dict(zip(PUBLISHED, (value / 100 for value in task.published), strict=True)),
            )
            for task in TASKS
            if task.name in results.rows
        }
    )


EXPERIMENT = Experiment(
    name="table9",
    title="VTAB-1k, task by task, with your weights and sets",
    source="Table 9, Figure 2",
    published_as="top-1 after fine-tuning, ViT-H/14 and ViT-L/16",
    published={
        (task.name, column): value / 100
        for task in TASKS
        for column, value in zip(PUBLISHED, task.published, strict=True)
    },
    scales={
        "pocket": Scale(
            what="linear probe on frozen features of each checkpoint of --weights, chosen on 200 "
            "and fitted to 1,000 images, on the tasks that --data holds",
            minutes=30,
            seeds=1,
        )
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
)
