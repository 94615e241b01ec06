"""Figure 3: the convolutional network leads on little data, and the ViT closes the gap."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from vitreous.data.augmentation import Augmentation
from vitreous.experiments.cluster import IMAGENET, IMAGENET21K, JFT, paper_run
from vitreous.experiments.collection import first_of_each_class
from vitreous.experiments.experiment import Experiment, PaperRun, Scale, Setting
from vitreous.experiments.finding import Finding, higher
from vitreous.experiments.results import Cell, Results
from vitreous.experiments.small import MOMENTUM, MUON, small_resnet, small_vit, training
from vitreous.experiments.training import TrainingTrial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# ImageNet after fine-tuning (Table 5); BiT-L R152x4 by its own paper.
_PUBLISHED = {
    (row, column): value / 100
    for row, values in {
        "B/16": (77.91, 83.97, 84.15),
        "B/32": (73.38, 81.28, 80.73),
        "L/16": (76.53, 85.15, 87.12),
        "L/32": (71.16, 80.99, 84.37),
        "H/14": (None, 85.13, 88.04),
        "BiT R152x4": (81.30, 85.39, 87.54),
    }.items()
    for column, value in zip(("ImageNet", "ImageNet-21k", "JFT-300M"), values, strict=True)
    if value is not None
}


class _Size(NamedTuple):
    lengths: dict[int, int]
    """Images seen, by training images."""
    vit: tuple[int, int]
    resnet: tuple[tuple[int, ...], int]


_SIZES = {
    "pocket": _Size(
        {300: 30_000, 1_500: 45_000, 7_500: 75_000, 30_000: 120_000}, (64, 4), ((1, 1, 1), 8)
    ),
    "lab": _Size(
        {300: 100_000, 1_500: 300_000, 7_500: 600_000, 60_000: 3_000_000}, (192, 8), ((2, 2, 2), 32)
    ),
}


def trials(setting: Setting) -> Sequence[TrainingTrial]:
    """Both models on nested subsets; Figure 4 looks at the same ones."""
    size = _SIZES[setting.scale]
    dataset = setting.data.pixels("fashion-mnist", 28)
    found = []
    for seed in setting.each_seed():
        for images, seen in size.lengths.items():
            part = first_of_each_class(dataset, images, seed)
            for row, model, optimizer in (
                ("ViT", small_vit(part, 4, *size.vit), MUON),
                ("ResNet", small_resnet(part, *size.resnet), MOMENTUM),
            ):
                config = training(
                    part,
                    model,
                    images_seen=seen,
                    optimizer=optimizer,
                    augmentation=Augmentation(flip=0.5, translate=0.1),
                )
                found.append(
                    TrainingTrial(
                        row=row, column=str(images), seed=seed, config=config, dataset=part
                    )
                )
    return found


def gap(results: Results, column: str) -> Cell:
    """By how much the ResNet leads, seed by seed: both saw the same images."""
    pairs = zip(results["ResNet", column].values, results["ViT", column].values, strict=True)
    return Cell(tuple(resnet - vit for resnet, vit in pairs))


def findings(results: Results) -> Sequence[Finding]:
    """Who leads on little data, and what becomes of the lead."""
    least, *_, most = results.row("ViT")
    return [
        higher(
            f"the convolutional network leads on little data ({least} images)",
            results["ResNet", least],
            results["ViT", least],
        ),
        higher(
            f"the ViT closes the gap as data grows (lead at {least} less lead at {most})",
            gap(results, least),
            gap(results, most),
        ),
    ]


def _draw(results: Results) -> "Figure":
    from vitreous.report.reproduction import curves

    return curves(
        "Figure 3: accuracy against size of the training set",
        results.curves(),
        x="training images, Fashion-MNIST",
        y="test accuracy",
        logarithmic=True,
    )


def _paper() -> Sequence[PaperRun]:
    from vitreous.train.recipes.pretraining import paper_imagenet, paper_imagenet21k, paper_jft

    runs = []
    for data, recipe, models in (
        (IMAGENET, paper_imagenet, ("B/16", "B/32", "L/16", "L/32")),
        (IMAGENET21K, paper_imagenet21k, ("B/16", "B/32", "L/16", "L/32", "H/14")),
        (JFT, paper_jft, ("B/16", "B/32", "L/16", "L/32", "H/14")),
    ):
        runs += [paper_run(data, f"ViT-{model}", recipe) for model in models]
    return runs


EXPERIMENT = Experiment(
    name="figure3",
    title="accuracy against the size of the training set, ViT and ResNet",
    source="Figure 3 and Table 5, section 4.3",
    published_as="ImageNet after fine-tuning, by pretraining set",
    published=_PUBLISHED,
    form={"": ".2%"},
    scales={
        "pocket": Scale(
            what="test accuracy on Fashion-MNIST from random weights, by training images; ViT of 4 "
            "blocks of width 64 with patches of 4 (Muon), ResNet of 3 units from width 8 (SGD)",
            minutes=26,
        ),
        "lab": Scale(
            what="test accuracy on Fashion-MNIST from random weights, by training images; ViT of 8 "
            "blocks of width 192 with patches of 4 (Muon), ResNet of 6 units from width 32 (SGD)",
            minutes=90,
            gpu=True,
        ),
    },
    trials=trials,
    findings=findings,
    draw=_draw,
    paper=_paper,
)
