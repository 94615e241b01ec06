"""Section 4.6: pretraining with and without labels, against random weights.

The section speaks of ViTs alone, and so do masked patches: a ResNet has none. What pretraining with
labels does is claimed of both (section 4.3: the ViT gains the more), so a ResNet is pretrained with
labels too, on the same images.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitreous.data.augmentation import Augmentation
from vitreous.data.sample import Dataset
from vitreous.experiments.cluster import JFT, paper_run
from vitreous.experiments.experiment import Experiment, PaperRun, Scale, Setting
from vitreous.experiments.finding import Finding, higher
from vitreous.experiments.results import Cell, Results
from vitreous.experiments.small import MOMENTUM, MUON, small_resnet, small_vit, training
from vitreous.experiments.training import TrainingTrial
from vitreous.experiments.trial import Trial
from vitreous.model.config import ViTConfig
from vitreous.train.objectives import with_objective

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PRETRAININGS = {
    "supervised": "classification",
    "masked patches": "masked_patch",
    "masked autoencoder": "mae",
}
# Images seen in pretraining and in fine-tuning, width, depth.
_SIZES = {"pocket": (130_000, 48_000, 64, 4), "lab": (5_000_000, 300_000, 192, 8)}
# Units and width of the ResNet.
_RESNETS = {"pocket": ((1, 1, 1), 8), "lab": ((2, 2, 2), 32)}
_RESNET = "ResNet, from scratch"
_PRETRAINED_RESNET = "ResNet, supervised"
_CROPS = Augmentation(crop_area=(0.4, 1.0), flip=0.5)
COLUMN = "flowers"


def scratch(flowers: Dataset, scale: str, seed: int) -> TrainingTrial:
    """Five flowers from random weights; `five_flowers_scratch` looks at the same ones."""
    return _tuned(flowers, scale, seed, "from scratch", None)


def _tuned(flowers: Dataset, scale: str, seed: int, row: str, start: Trial | None) -> TrainingTrial:
    """All start at the same rate, for as long."""
    _, seen, width, depth = _SIZES[scale]
    config = training(flowers, _vit(flowers, width, depth), images_seen=seen, augmentation=_CROPS)
    return TrainingTrial(
        row=row, column=COLUMN, seed=seed, config=config, dataset=flowers, start=start
    )


def _vit(dataset: Dataset, width: int, depth: int) -> ViTConfig:
    # Masked pretraining teaches the patches and no class token: all pool by the mean.
    return small_vit(dataset, 4, width, depth, class_token=False, pooling="mean")


def _trials(setting: Setting) -> Sequence[Trial]:
    seen, _, width, depth = _SIZES[setting.scale]
    cifar = setting.data.pixels("cifar10", 32)
    flowers = setting.data.pixels("flowers", 32)
    trials: list[Trial] = []
    for seed in setting.each_seed():
        trials.append(scratch(flowers, setting.scale, seed))
        for row, objective in _PRETRAININGS.items():
            config = training(
                cifar,
                _vit(cifar, width, depth),
                images_seen=seen,
                optimizer=MUON,
                augmentation=_CROPS,
            )
            config = with_objective(config, objective)
            start = TrainingTrial(row="", seed=seed, config=config, dataset=cifar)
            trials.append(_tuned(flowers, setting.scale, seed, row, start))
        trials += _resnets(cifar, flowers, setting.scale, seed)
    return trials


def _resnets(cifar: Dataset, flowers: Dataset, scale: str, seed: int) -> list[TrainingTrial]:
    """Return a ResNet from random weights and one pretrained with labels, for as long as the ViTs.

    SGD moves it in both, as it does in the paper's fine-tuning and in BiT's pretraining.
    """
    pretraining, tuning, _, _ = _SIZES[scale]

    def trained(dataset: Dataset, row: str, seen: int, start: Trial | None) -> TrainingTrial:
        config = training(
            dataset,
            small_resnet(dataset, *_RESNETS[scale]),
            images_seen=seen,
            optimizer=MOMENTUM,
            augmentation=_CROPS,
        )
        column = COLUMN if row else "accuracy"
        return TrainingTrial(
            row=row, column=column, seed=seed, config=config, dataset=dataset, start=start
        )

    start = trained(cifar, "", pretraining, None)
    return [
        trained(flowers, _RESNET, tuning, None),
        trained(flowers, _PRETRAINED_RESNET, tuning, start),
    ]


def _findings(results: Results) -> Sequence[Finding]:
    cells = {row: results[row, COLUMN] for row in results.rows}
    return [
        *(
            higher(f"pretraining ({row}) beats random weights", cells[row], cells["from scratch"])
            for row in _PRETRAININGS
        ),
        higher("masked patches stay behind labels", cells["supervised"], cells["masked patches"]),
        higher(
            "pretraining (supervised) beats random weights for a ResNet too",
            cells[_PRETRAINED_RESNET],
            cells[_RESNET],
        ),
        higher(
            "the ViT gains more from labels than the ResNet",
            _gain(cells["supervised"], cells["from scratch"]),
            _gain(cells[_PRETRAINED_RESNET], cells[_RESNET]),
        ),
    ]


def _gain(pretrained: Cell, scratch: Cell) -> Cell:
    """Return by how much pretraining helps, seed by seed."""
    pairs = zip(pretrained.values, scratch.values, strict=True)
    return Cell(tuple(after - before for after, before in pairs))


def _draw(results: Results) -> "Figure":
    from vitreous.report.reproduction import dots

    return dots(
        "Section 4.6: pretraining on CIFAR-10, then five flowers",
        {row: results[row, COLUMN].values for row in results.rows},
        x="test accuracy, five flowers",
    )


def _paper() -> Sequence[PaperRun]:
    from vitreous.train.recipes.pretraining import paper_jft, paper_masked_patch

    return [
        paper_run(JFT, "ViT-B/16", paper_jft, label="supervised, 7 epochs"),
        paper_run(JFT, "ViT-B/16", paper_masked_patch, label="masked patches, 1M steps"),
    ]


EXPERIMENT = Experiment(
    name="self_supervision",
    title="pretraining with labels and by masked patches, against random weights",
    source="section 4.6, appendix B.1.2; Table 5",
    published_as="ImageNet after fine-tuning, ViT-B/16: labels and masked patches of JFT-300M",
    published={
        ("from scratch", "ImageNet"): 0.7791,
        ("supervised", "ImageNet"): 0.8415,
        ("masked patches", "ImageNet"): 0.799,
    },
    form={"": ".1%"},
    scales={
        "pocket": Scale(
            what="test accuracy on five flowers at 32 pixels after 16 epochs; pretrained on "
            "CIFAR-10 for 2.6; ViT of 4 blocks of width 64 with patches of 4, ResNet of 3 units "
            "from width 8 (SGD)",
            minutes=50,
        ),
        "lab": Scale(
            what="test accuracy on five flowers at 32 pixels after 100 epochs; pretrained on "
            "CIFAR-10 for 100; ViT of 8 blocks of width 192 with patches of 4, ResNet of 6 units "
            "from width 32 (SGD)",
            minutes=120,
            gpu=True,
        ),
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
    paper=_paper,
)
