"""Table 9: VTAB-1k, task by task, with the user's weights and sets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitreous.errors import UserError
from vitreous.evaluate.vtab import missing, summarise
from vitreous.evaluate.vtab_tasks import MEANS, PUBLISHED, TASKS
from vitreous.experiments.checkpoints import checkpoints
from vitreous.experiments.experiment import Experiment, Scale, Setting
from vitreous.experiments.finding import Finding
from vitreous.experiments.paper_grid import Block, PaperGrid
from vitreous.experiments.results import Results
from vitreous.experiments.trial import Trial
from vitreous.experiments.vtab import present_tasks, task_trials

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _trials(setting: Setting) -> Sequence[Trial]:
    if setting.weights is None:
        raise UserError("table9 measures trained models: give --weights, a folder of checkpoints")
    if not present_tasks(setting):
        listed = ", ".join(task.folder for task in TASKS)
        raise UserError(
            f"{setting.data.folder}: none of VTAB's sets is there: a folder for each of {listed}, "
            "there or in vtab-1k/ (vitreous vtab --help tells their layouts)"
        )
    return task_trials(setting, checkpoints(setting.weights))


def _findings(results: Results) -> Sequence[Finding]:
    tasks = {task.name: task for task in TASKS}
    found = []
    for model in results.rows:
        cells = results.row(model)
        rows = [dict(cell.facts[0]) for cell in cells.values()]
        absent = missing(TASKS, {tasks[column]: "" for column in cells})
        told = "; ".join(
            f"{mean['group']} ({mean['tasks']} of {mean['of']}) {mean['accuracy']:.1%}, "
            f"{PUBLISHED[-1]} {mean['published'][PUBLISHED[-1]]:.1%}"
            for mean in summarise(rows)
        )
        probed = any("l2" in row for row in rows)
        how = (
            "a linear probe here, fine-tuning there (--scale lab)" if probed else "both fine-tuned"
        )
        gone = f"; missing: {', '.join(one['task'] for one in absent)}" if absent else ""
        found.append(
            Finding(
                f"{model}: the means of the groups are the paper's",
                "not shown",
                f"{told}; {how}{gone}",
            )
        )
    return found


def _draw(results: Results) -> "Figure":
    from vitreous.report.paper_figures import by_task

    here: dict[str, dict[str, float]] = {}
    for (model, task), cell in results.cells.items():
        here.setdefault(task, {})[model] = cell.mean
    return by_task(
        {
            task.name: (
                here[task.name],
                dict(zip(PUBLISHED, (value / 100 for value in task.published), strict=True)),
            )
            for task in TASKS
            if task.name in here
        }
    )


_GRID = PaperGrid(
    blocks=(Block(headings={row: row.split(" ") for row in PUBLISHED}),),
    lines={**{task.name: task.name for task in TASKS}, "mean": "mean"},
    printed={
        **{
            (row, task.name): f"{task.published[place]:.1f}"
            for place, row in enumerate(PUBLISHED)
            for task in TASKS
        },
        **{(row, "mean"): mean for row, mean in zip(PUBLISHED, MEANS, strict=True)},
    },
    digits=1,
    mean="mean",
)

EXPERIMENT = Experiment(
    name="table9",
    title="VTAB-1k, task by task, with your weights and sets",
    source="Table 9, Figure 2",
    published_as="top-1 after fine-tuning, ViT-H/14 and ViT-L/16",
    published=_GRID.shares(),
    grid=_GRID,
    scales={
        "pocket": Scale(
            what="linear probe on frozen features of each checkpoint of --weights, chosen on 200 "
            "and fitted to 1,000 images, on the tasks that --data holds",
            minutes=30,
            seeds=1,
        ),
        "lab": Scale(
            what="each checkpoint of --weights fine-tuned on the 1,000 images of each task that "
            "--data holds, by the paper's one setting (2,500 steps at 0.01, 384 pixels)",
            minutes=600,
            seeds=1,
            gpu=True,
        ),
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
    takes_weights=True,
)
