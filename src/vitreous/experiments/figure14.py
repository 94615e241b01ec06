"""Figure 14: attention rollout of 128 random images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitreous.experiments.experiment import Experiment, Scale, Setting
from vitreous.experiments.figure6 import FIELDS, look, pairs
from vitreous.experiments.results import Results
from vitreous.experiments.subject import drawn_of, looks
from vitreous.experiments.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_IMAGES, _ACROSS = 128, 8


def _trials(setting: Setting) -> Sequence[Trial]:
    return looks(setting, "figure14", look, images=_IMAGES)


def _draw(results: Results) -> "Figure":
    from vitreous.report.paper_figures import input_and_attention

    row = results.rows[0]
    drawn = pairs(results, row)
    title = f"Attention from the output, {len(drawn)} images, {row}{drawn_of(results.rows, 1)}"
    return input_and_attention(drawn, title, across=_ACROSS)


EXPERIMENT = Experiment(
    name="figure14",
    title="where the model looks, by attention rollout: 128 images",
    source="Figure 14, appendix D.8",
    scales={
        "pocket": Scale(
            what="as figure6; the probabilities are of the first dozen of 128 images",
            minutes=9,
            seeds=1,
        )
    },
    trials=_trials,
    draw=_draw,
    **FIELDS,
)
