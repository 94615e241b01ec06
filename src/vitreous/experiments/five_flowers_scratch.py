"""Five flowers from random weights, ViT and ResNet each by a recipe of its own, class by class."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vitreous.experiments.experiment import Experiment, Scale, Setting
from vitreous.experiments.finding import Finding, higher
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.self_supervision import COLUMN, scratch
from vitreous.experiments.small import MOMENTUM, small_resnet, training
from vitreous.experiments.training import AfterTraining, TrainingTrial
from vitreous.experiments.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Units and width of the ResNet.
_SIZES = {"pocket": ((1, 1, 1), 8), "lab": ((2, 2, 2), 32)}


@dataclass(frozen=True, kw_only=True, eq=False)
class PerClassTrial(AfterTraining):
    """Accuracy of a trained model, and the F1 of each class, from its report."""

    kind = "per class"

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Read the report."""
        report = json.loads((finished(self.start) / "run" / "report.json").read_text())
        classes = {one["name"]: one["f1"] for one in report["classes"]}
        return Outcome({"accuracy": report["accuracy"], **classes})


def _trials(setting: Setting) -> Sequence[Trial]:
    flowers = setting.data.pixels("flowers", 32)
    units, width = _SIZES[setting.scale]
    trials: list[Trial] = []
    for seed in setting.each_seed():
        vit = scratch(flowers, setting.scale, seed)
        config = training(
            flowers,
            small_resnet(flowers, units, width),
            images_seen=vit.config.steps * vit.config.batch_size if vit.config.steps else 0,
            optimizer=MOMENTUM,
            augmentation=vit.config.augmentation,
        )
        resnet = TrainingTrial(row="", column=COLUMN, seed=seed, config=config, dataset=flowers)
        for row, start in (("ViT", vit), ("ResNet", resnet)):
            trials.append(PerClassTrial(row=row, seed=seed, start=start))
    return trials


def _findings(results: Results) -> Sequence[Finding]:
    return [
        higher(
            "on 3,000 photos from random weights the ResNet leads",
            results["ResNet", "accuracy"],
            results["ViT", "accuracy"],
        )
    ]


def _draw(results: Results) -> "Figure":
    from vitreous.report.reproduction import dots

    columns = list(results.row("ViT"))
    rows = {
        f"{column}{'' if column == 'accuracy' else ' (F1)'}, {row}": results[row, column].values
        for column in columns
        for row in results.rows
    }
    return dots(
        "Five flowers from random weights, ViT against ResNet",
        rows,
        x="test accuracy, and F1 by class",
    )


EXPERIMENT = Experiment(
    name="five_flowers_scratch",
    title="five flowers from random weights, ViT against ResNet, class by class",
    source="section 4.3's small-data end, beside five_flowers; not in the paper",
    form={"": ".3f", "accuracy": ".1%"},
    scales={
        "pocket": Scale(
            what="test accuracy and F1 by class at 32 pixels, 16 epochs from random weights; ViT "
            "of 4 blocks of width 64 (Adam), ResNet of 3 units from width 8 (SGD)",
            minutes=12,
        ),
        "lab": Scale(
            what="test accuracy and F1 by class at 32 pixels, 100 epochs from random weights; ViT "
            "of 8 blocks of width 192 (Adam), ResNet of 6 units from width 32 (SGD)",
            minutes=15,
            gpu=True,
        ),
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
)
