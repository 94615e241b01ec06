"""Table 7: Adam against SGD for the ResNets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitreous.data.augmentation import Augmentation
from vitreous.experiments.cluster import JFT, paper_run
from vitreous.experiments.collection import first_of_each_class
from vitreous.experiments.experiment import Experiment, PaperRun, Scale, Setting
from vitreous.experiments.finding import Finding, higher
from vitreous.experiments.results import Results
from vitreous.experiments.small import ADAM, MOMENTUM, small_resnet, training
from vitreous.experiments.training import TrainingTrial
from vitreous.experiments.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OPTIMIZERS = {"Adam": ADAM, "SGD": MOMENTUM}
_SETS = ("ImageNet", "CIFAR-10", "CIFAR-100", "Pets", "Flowers", "Average")
_PUBLISHED = {
    (f"{model}, {optimizer}", name): value / 100
    for model, optimizer, values in (
        ("R50", "Adam", (77.54, 97.67, 86.07, 91.11, 94.26, 89.33)),
        ("R50", "SGD", (78.24, 97.46, 85.17, 91.00, 92.06, 88.79)),
        ("R152x2", "Adam", (84.97, 99.06, 92.05, 95.37, 98.62, 94.01)),
        ("R152x2", "SGD", (84.37, 99.07, 91.06, 94.79, 99.32, 93.72)),
    )
    for name, value in zip(_SETS, values, strict=True)
}
# Training images, images seen, and units and width of two ResNets.
_SIZES = {
    "pocket": (7_500, 60_000, {"small": ((1, 1, 1), 8), "large": ((2, 2, 2), 8)}),
    "lab": (60_000, 1_000_000, {"small": ((2, 2, 2), 16), "large": ((3, 4, 6), 32)}),
}


def _trials(setting: Setting) -> Sequence[Trial]:
    images, seen, models = _SIZES[setting.scale]
    dataset = setting.data.pixels("fashion-mnist", 28)
    trials = []
    for seed in setting.each_seed():
        part = first_of_each_class(dataset, images, seed)
        for name, (units, width) in models.items():
            for row, optimizer in _OPTIMIZERS.items():
                config = training(
                    part,
                    small_resnet(part, units, width),
                    images_seen=seen,
                    optimizer=optimizer,
                    augmentation=Augmentation(flip=0.5, translate=0.1),
                )
                trials.append(
                    TrainingTrial(
                        row=f"{name}, {row}",
                        column="Fashion-MNIST",
                        seed=seed,
                        config=config,
                        dataset=part,
                    )
                )
    return trials


def _findings(results: Results) -> Sequence[Finding]:
    return [
        higher(
            f"Adam is better than SGD for the {name} ResNet",
            results[f"{name}, Adam", "Fashion-MNIST"],
            results[f"{name}, SGD", "Fashion-MNIST"],
        )
        for name in ("small", "large")
    ]


def _draw(results: Results) -> "Figure":
    from vitreous.report.reproduction import dots

    rows = {row: results[row, "Fashion-MNIST"].values for row in results.rows}
    return dots("Table 7: Adam against SGD for ResNets", rows, x="test accuracy, Fashion-MNIST")


def _paper() -> Sequence[PaperRun]:
    from vitreous.train.recipes.pretraining import paper_jft

    return [
        paper_run(JFT, model, paper_jft, label=f"{model}, Adam")
        for model in ("BiT-R50x1", "BiT-R152x2")
    ]


EXPERIMENT = Experiment(
    name="table7",
    title="Adam against SGD for ResNets",
    source="Table 7, appendix D.1",
    published_as="accuracy after fine-tuning, pretrained on JFT-300M for 7 epochs",
    published=_PUBLISHED,
    form={"": ".2%"},
    scales={
        "pocket": Scale(
            what="test accuracy from random weights, 7,500 training images, 8 epochs; ResNets of 3 "
            "and 6 units from width 8; Adam at 0.001, SGD at 0.1",
            minutes=9,
        ),
        "lab": Scale(
            what="test accuracy from random weights, 60,000 training images, 17 epochs; ResNets of "
            "6 units from width 16 and 13 from 32; Adam at 0.001, SGD at 0.1",
            minutes=40,
            gpu=True,
        ),
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
    paper=_paper,
)
