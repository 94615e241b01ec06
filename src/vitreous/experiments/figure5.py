"""Figure 5: accuracy against the compute of training, for ViT, ResNet and hybrid."""

from collections.abc import Sequence
from dataclasses import replace
from math import log
from typing import TYPE_CHECKING

import numpy as np

from vitreous.data.augmentation import Augmentation
from vitreous.data.sample import Dataset
from vitreous.experiments.cluster import JFT, paper_run
from vitreous.experiments.collection import first_of_each_class
from vitreous.experiments.experiment import Experiment, PaperRun, Scale, Setting
from vitreous.experiments.finding import Finding, higher
from vitreous.experiments.results import Cell, Results
from vitreous.experiments.small import MOMENTUM, MUON, small_resnet, small_vit, training
from vitreous.experiments.training import TrainingTrial
from vitreous.experiments.trial import Trial
from vitreous.model.config import ModelConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The mean over five data sets (Table 6; ImageNet, CIFAR-10 and -100, Pets, Flowers), as shares;
# after 7 epochs where nothing else is said.
_PUBLISHED = {
    ("ViT", "B/32"): 0.9250,
    ("ViT", "B/16"): 0.9408,
    ("ViT", "L/32"): 0.9427,
    ("ViT", "L/16"): 0.9512,
    ("ViT", "L/16, 14 epochs"): 0.9544,
    ("ViT", "H/14, 14 epochs"): 0.9582,
    ("ResNet", "R50x1"): 0.8933,
    ("ResNet", "R50x2"): 0.9201,
    ("ResNet", "R101x1"): 0.9167,
    ("ResNet", "R152x1"): 0.9241,
    ("ResNet", "R152x2"): 0.9401,
    ("ResNet", "R152x2, 14 epochs"): 0.9424,
    ("ResNet", "R200x3, 14 epochs"): 0.9509,
    ("hybrid", "R50+B/32"): 0.9427,
    ("hybrid", "R50+B/16"): 0.9468,
    ("hybrid", "R50+L/32"): 0.9485,
    ("hybrid", "R50+L/16"): 0.9517,
    ("hybrid", "R50+L/16, 14 epochs"): 0.9536,
}
# Training images and images seen.
_SIZES = {"pocket": (30_000, 120_000), "lab": (60_000, 2_000_000)}
_NAMES = ("small", "middle", "large")


def _models(part: Dataset, scale: str) -> dict[tuple[str, str], ModelConfig]:
    """Three sizes of each kind; those of a hybrid are its Transformer's."""
    resnets: tuple[tuple[tuple[int, ...], int], ...]
    if scale == "pocket":
        vits = ((32, 3), (64, 4), (96, 5))
        resnets = (((1, 1), 8), ((1, 1, 1), 8), ((1, 1, 1), 16))
    else:
        vits = ((96, 5), (192, 8), (384, 10))
        resnets = (((1, 1, 1), 16), ((2, 2, 2), 32), ((2, 2, 2), 64))
    found: dict[tuple[str, str], ModelConfig] = {}
    for name, vit, resnet in zip(_NAMES, vits, resnets, strict=True):
        found["ViT", name] = small_vit(part, 4, *vit)
        found["ResNet", name] = small_resnet(part, *resnet)
        # A root of stride 4, and each place of its map a patch: the grid is the ViT's.
        found["hybrid", name] = small_vit(part, 4, *vit, stem=(), stem_width=32)
    return found


def _trials(setting: Setting) -> Sequence[Trial]:
    images, seen = _SIZES[setting.scale]
    dataset = setting.data.pixels("fashion-mnist", 28)
    trials = []
    for seed in setting.each_seed():
        part = first_of_each_class(dataset, images, seed)
        for (row, column), model in _models(part, setting.scale).items():
            config = training(
                part,
                model,
                images_seen=seen,
                optimizer=MUON if model.attention_layers else MOMENTUM,
                augmentation=Augmentation(flip=0.5, translate=0.1),
            )
            trials.append(
                TrainingTrial(row=row, column=column, seed=seed, config=config, dataset=part)
            )
    return trials


def at_compute(results: Results, row: str, flops: float) -> Cell:
    """What a row would reach with so many operations: straight lines over their logarithm."""
    cells = sorted(results.row(row).values(), key=lambda cell: cell.flops)
    places = [log(cell.flops) for cell in cells]
    values = [cell.values for cell in cells]
    return Cell(
        tuple(float(np.interp(log(flops), places, line)) for line in zip(*values, strict=True))
    )


def shared_range(results: Results, *rows: str) -> tuple[float, float]:
    """From the most expensive of the cheapest models to the cheapest of the most expensive."""
    flops = [[cell.flops for cell in results.row(row).values()] for row in rows]
    return max(map(min, flops)), min(map(max, flops))


def _findings(results: Results) -> Sequence[Finding]:
    low, high = shared_range(results, "ViT", "ResNet")
    middle = (low * high) ** 0.5
    vit, resnet = (at_compute(results, row, middle) for row in ("ViT", "ResNet"))
    low, high = shared_range(results, "ViT", "hybrid")
    leads = [
        Cell(
            tuple(
                hybrid - plain
                for hybrid, plain in zip(
                    at_compute(results, "hybrid", flops).values,
                    at_compute(results, "ViT", flops).values,
                    strict=True,
                )
            )
        )
        for flops in (low, high)
    ]
    nothing = Cell((0.0,) * len(leads[0].values))
    return [
        higher(f"a ViT is better than a ResNet of equal compute ({middle:.1e})", vit, resnet),
        higher(f"hybrids are better than ViTs at little compute ({low:.1e})", leads[0], nothing),
        higher(f"and lead by less at more ({high:.1e})", *leads),
    ]


def _draw(results: Results) -> "Figure":
    from vitreous.report.reproduction import curves

    return curves(
        "Figure 5: accuracy against compute",
        {
            row: [(cell.flops, cell.mean, cell.spread) for cell in results.row(row).values()]
            for row in results.rows
        },
        x="floating-point operations of training",
        y="test accuracy, Fashion-MNIST",
        logarithmic=True,
    )


def _paper() -> Sequence[PaperRun]:
    """A run for each published value, of its epochs."""
    from vitreous.model.variants import variant_config
    from vitreous.train.recipes.pretraining import paper_jft

    runs = []
    for row, column in _PUBLISHED:
        short, _, longer = column.partition(", ")
        name = f"BiT-{short}" if row == "ResNet" else short.replace("R50+", "")
        name = f"R50+ViT-{name}" if row == "hybrid" else name
        config = variant_config(name)
        # Table 3 has no row for R200x3: it is counted by R152x2's.
        counted = replace(config, name="BiT-R152x2") if short == "R200x3" else config
        epochs = 14 if longer else 7
        label = f"{config.name}, {epochs} epochs"
        runs.append(paper_run(JFT, counted, paper_jft, epochs=epochs, label=label))
    return runs


EXPERIMENT = Experiment(
    name="figure5",
    title="accuracy against compute: ViT, ResNet and hybrid",
    source="Figure 5 and Table 6, section 4.4",
    published_as="mean over five data sets after pretraining on JFT-300M, 7 epochs or as said",
    published=_PUBLISHED,
    form={"": ".2%"},
    scales={
        "pocket": Scale(
            what="test accuracy on Fashion-MNIST, 30,000 training images, 4 epochs; ViTs of 3 to 5 "
            "blocks of width 32 to 96 (Muon), ResNets of 2 or 3 units from width 8 or 16 (SGD)",
            minutes=40,
        ),
        "lab": Scale(
            what="test accuracy on Fashion-MNIST, 60,000 training images, 33 epochs; ViTs of 5 to "
            "10 blocks of width 96 to 384 (Muon), ResNets of 3 or 6 units from width 16 to 64",
            minutes=120,
            gpu=True,
        ),
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
    paper=_paper,
)
