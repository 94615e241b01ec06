"""A plain ViT from scratch on Fashion-MNIST, in ten minutes on two cores."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitreous.data.augmentation import Augmentation
from vitreous.experiments.experiment import Experiment, Scale, Setting
from vitreous.experiments.finding import Finding, Verdict
from vitreous.experiments.results import Results
from vitreous.experiments.small import MUON, small_vit, training
from vitreous.experiments.training import TrainingTrial
from vitreous.experiments.trial import Trial
from vitreous.train.config import ScheduleConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BAR = 0.925
_EPOCHS = 13


def _trials(setting: Setting) -> Sequence[Trial]:
    dataset = setting.data.pixels("fashion-mnist", 28)
    # Half of the patches a time: with twice the images for the work, it learns more (README).
    model = small_vit(
        dataset, 4, 96, 4, heads=3, class_token=False, pooling="mean", patch_dropout=0.5
    )
    config = training(
        dataset,
        model,
        images_seen=_EPOCHS * len(dataset.parts["train"].labels),
        optimizer=MUON,
        augmentation=Augmentation(flip=0.5),
        label_smoothing=0.1,
        average=0.998,
        schedule=ScheduleConfig(warmup=0.05, shape="linear"),
    )
    return [
        TrainingTrial(row="ViT", seed=seed, config=config, dataset=dataset)
        for seed in setting.each_seed()
    ]


def _findings(results: Results) -> Sequence[Finding]:
    cell = results["ViT", "accuracy"]
    worst = min(cell.values)
    verdict: Verdict = "holds" if worst >= _BAR else "does not hold"
    claim = f"every seed reaches {_BAR:.1%}"
    return [Finding(claim, verdict, f"{worst:.2%} is the worst of {len(cell.values)}")]


def _draw(results: Results) -> "Figure":
    from vitreous.report.reproduction import dots

    rows = {row: results[row, "accuracy"].values for row in results.rows}
    bar = (_BAR, f"the bar, {_BAR:.1%}")
    return dots("Fashion-MNIST from scratch", rows, x="test accuracy", bar=bar)


EXPERIMENT = Experiment(
    name="fashion_mnist",
    title="a plain ViT from scratch on Fashion-MNIST, ten minutes on two cores a seed",
    source="not in the paper",
    form={"": ".2%"},
    scales={
        "pocket": Scale(
            what="test accuracy, ViT of 4 blocks of width 96 with patches of 4 (Muon), 60,000 "
            f"training images, {_EPOCHS} epochs",
            minutes=30,
        ),
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
)
