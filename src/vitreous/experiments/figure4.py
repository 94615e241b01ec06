"""Figure 4: few-shot accuracy of frozen features against the size of the pretraining set."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitreous.experiments import figure3
from vitreous.experiments.cluster import JFT, paper_run
from vitreous.experiments.experiment import Experiment, PaperRun, Scale, Setting
from vitreous.experiments.results import Results
from vitreous.experiments.training import FewShotTrial
from vitreous.experiments.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _trials(setting: Setting) -> Sequence[Trial]:
    digits = setting.data.pixels("digits", 28)
    return [
        FewShotTrial(
            row=start.row, column=start.column, seed=start.seed, start=start, dataset=digits
        )
        for start in figure3.trials(setting)
    ]


def _draw(results: Results) -> "Figure":
    from vitreous.report.reproduction import curves

    return curves(
        "Figure 4: few-shot accuracy against size of the pretraining set",
        results.curves(),
        x="pretraining images, Fashion-MNIST",
        y="linear 5-shot accuracy, digits",
        logarithmic=True,
    )


def _paper() -> Sequence[PaperRun]:
    from vitreous.train.recipes.pretraining import paper_jft

    names = ("ViT-L/16", "ViT-L/32", "ViT-B/32", "ViT-b/32", "BiT-R50x1", "BiT-R152x2")
    return [
        paper_run(JFT, name, paper_jft, share=share, label=name)
        for name in names
        for share in (9 / 303, 30 / 303, 90 / 303, 1.0)
    ]


_WHAT = (
    "linear 5-shot accuracy on digits (mean of 10 draws), by images of Fashion-MNIST in "
    "pretraining; the models of figure3"
)

EXPERIMENT = Experiment(
    name="figure4",
    title="few-shot accuracy of frozen features against the size of the pretraining set",
    source="Figure 4, section 4.3; no values are printed",
    form={"": ".2%"},
    scales={
        "pocket": Scale(what=_WHAT, minutes=27),
        "lab": Scale(what=_WHAT, minutes=91, gpu=True),
    },
    trials=_trials,
    findings=figure3.findings,
    draw=_draw,
    paper=_paper,
)
