"""The small reproduction that every student of the paper does: five flowers, ViT and ResNet."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from vitreous.data.augmentation import Augmentation
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sample import Dataset
from vitreous.errors import UserError
from vitreous.experiments.class_report import (
    LOSS,
    MEASURES,
    STARTED,
    ClassReportTrial,
    LossCurvesTrial,
    classes_of,
    column_of,
)
from vitreous.experiments.class_table import ClassTable
from vitreous.experiments.experiment import Experiment, PaperRun, Scale, ScaleName, Setting
from vitreous.experiments.finding import Finding, higher
from vitreous.experiments.flower_weights import CLASSES, flower_weights
from vitreous.experiments.results import Place, Results
from vitreous.experiments.small import MUON, small_classic_resnet, small_vit, training
from vitreous.experiments.training import TrainingTrial
from vitreous.experiments.trial import Trial
from vitreous.model.config import ModelConfig
from vitreous.model.variants import variant_config
from vitreous.train.config import TrainConfig
from vitreous.train.recipes.facts import Facts
from vitreous.train.recipes.flowers import five_flowers
from vitreous.train.tuning import TuningConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vitreous.report.reproduction import Point

_VIT, _RESNET, _SCRATCH = "ViT, pretrained", "ResNet", "ViT, from scratch"

# Precision, recall and F1 of each class, and accuracy.
_PUBLISHED_ROWS = {
    _VIT: (
        (0.966, 0.973, 0.969),
        (0.963, 0.976, 0.969),
        (0.903, 0.939, 0.920),
        (0.979, 0.979, 0.979),
        (0.966, 0.914, 0.939),
        0.956,
    ),
    _RESNET: (
        (0.962, 0.643, 0.770),
        (0.493, 0.988, 0.657),
        (0.941, 0.501, 0.654),
        (0.978, 0.441, 0.608),
        (0.767, 0.758, 0.763),
        0.689,
    ),
}


def _published() -> dict[Place, float]:
    table: dict[Place, float] = {}
    for row, (*classes, accuracy) in _PUBLISHED_ROWS.items():
        for name, values in zip(CLASSES, classes, strict=True):
            for measure, value in zip(MEASURES, values, strict=True):
                table[row, column_of(name, measure)] = value
        table[row, "accuracy"] = accuracy
    return table


# At pocket scale. Photos are kept at twice the side, up to a limit, so that crops keep detail.
_SIDE, _KEPT_AT_MOST = 32, 256
# The ResNet has about as many operations as the ViT.
_PATCH, _WIDTH, _DEPTH = 8, 128, 6
_RESNET_UNITS, _RESNET_WIDTH = (1, 1, 1), 16
_PRETRAINING_IMAGES, _PRETRAINING_BATCH = 350_000, 128
# A quarter of the steps of 200 epochs of 2,936 photos in batches of 256, in batches of a quarter.
_BATCH, _STEPS = 64, 574
# Operations of one run that two cores are not asked for: they would take a day.
_MOST_FLOPS = 3e15


def _check(setting: Setting) -> None:
    flower_weights(setting)


def _trials(setting: Setting) -> Sequence[Trial]:
    weights = flower_weights(setting)
    side = 224 if setting.scale == "lab" else _SIDE
    size = (side, side) if weights is None else _size_of(weights[1].architecture)
    photos = _photos(setting, max(size))
    trials: list[Trial] = []
    for seed in setting.each_seed():
        start: Trial | Path
        if weights is None:
            start = _pretraining(setting, seed)
            trained = (start.config.model, start.config.preprocessing)
        else:
            start, passport = weights
            trained = (passport.architecture, passport.preprocessing)
        for row, config in _configs(photos, setting.scale, size, trained).items():
            arm = TrainingTrial(
                row="",
                seed=seed,
                config=config,
                dataset=photos,
                start=start if row == _VIT else None,
            )
            if weights is not None and setting.scale == "pocket":
                _check_cost(arm, row, weights[0])
            trials.append(ClassReportTrial(row=row, seed=seed, start=arm))
            trials.append(LossCurvesTrial(row=row, seed=seed, start=arm))
    return trials


def _size_of(model: ModelConfig) -> tuple[int, int]:
    """The checkpoint's own size, and 224 pixels for one of larger images."""
    return model.image_size if max(model.image_size) <= 224 else (224, 224)


def _photos(setting: Setting, side: int) -> Dataset:
    """Training photos, and the fifth of each class that is held out, the same for all seeds."""
    if setting.scale == "lab":
        photos = setting.data.open("flowers")
    else:
        photos = setting.data.pixels("flowers", min(2 * side, max(side, _KEPT_AT_MOST)))
    parts = {"train": photos.parts["train"], "validation": photos.parts["test"]}
    return replace(photos, parts=parts, image_size=None)


def _pretraining(setting: Setting, seed: int) -> TrainingTrial:
    """A small ViT that has learnt the labels of CIFAR-10."""
    cifar = setting.data.pixels("cifar10", _SIDE)
    config = training(
        cifar,
        small_vit(cifar, _PATCH, _WIDTH, _DEPTH),
        images_seen=_PRETRAINING_IMAGES,
        batch_size=_PRETRAINING_BATCH,
        optimizer=MUON,
        augmentation=Augmentation(crop_area=(0.4, 1.0), flip=0.5),
    )
    return TrainingTrial(row="", seed=seed, config=config, dataset=cifar)


def _configs(
    photos: Dataset,
    scale: ScaleName,
    size: tuple[int, int],
    trained: tuple[ModelConfig, Preprocessing],
) -> Mapping[str, TrainConfig]:
    """The runs of one seed by the row of the table: one recipe for all three."""
    facts = Facts(
        data=photos.address,
        num_images=len(photos.parts["train"].labels),
        num_classes=photos.num_classes,
        channels=photos.channels,
    )
    # The trial fills in where the weights are.
    vit = five_flowers(replace(facts, weights="pretrained", trained=trained))
    if scale == "lab":
        resnet = variant_config("ResNet-50", num_classes=photos.num_classes)
    else:
        resnet = small_classic_resnet(
            replace(photos, image_size=size), _RESNET_UNITS, _RESNET_WIDTH
        )
    configs = {
        _VIT: vit,
        _RESNET: five_flowers(replace(facts, model=resnet)),
        _SCRATCH: five_flowers(replace(facts, model=vit.model)),
    }
    if scale == "lab":
        return configs
    # All of the ViT moves: a head alone gains little on features of CIFAR-10.
    return {
        row: replace(
            config,
            tuning=TuningConfig(),
            batch_size=_BATCH,
            steps=_STEPS,
            epochs=None,
            validate_every=0.5,
        )
        for row, config in configs.items()
    }


def _check_cost(arm: TrainingTrial, row: str, file: Path) -> None:
    if arm.flops > _MOST_FLOPS:
        raise UserError(
            f"--weights {file} is a {arm.config.model.name} at {arm.config.model.image_size[0]} "
            f"pixels, with which {row} alone takes {arm.flops:.1g} operations, days on two cores: "
            "give --scale lab on a GPU, or smaller weights"
        )


def _findings(results: Results) -> Sequence[Finding]:
    vit, resnet, scratch = (results[row, "accuracy"] for row in (_VIT, _RESNET, _SCRATCH))
    pretrained = f"the pretrained ViT{_origin(_VIT, results)}"
    return [
        higher(f"{pretrained} is ahead of the ResNet from random weights", vit, resnet),
        higher(f"{pretrained} is ahead of the same ViT from random weights", vit, scratch),
        higher("from random weights the ResNet is ahead of the ViT", resnet, scratch),
    ]


def _class_tables(results: Results | None) -> Sequence[ClassTable]:
    """Precision, recall and F1 of each class; accuracy and loss of each model."""
    rows = list(_PUBLISHED_ROWS) if results is None else results.rows
    names = CLASSES if results is None else classes_of(list(results.row(rows[0])))
    return [
        ClassTable(
            title=row + _origin(row, results),
            classes=names,
            measures=MEASURES,
            place=partial(_place, row),
            below=[(row, "accuracy"), (row, LOSS)],
        )
        for row in rows
    ]


def _origin(row: str, results: Results | None) -> str:
    """The user's file that a model started from, to stand behind its name."""
    facts = {} if results is None else results[row, "accuracy"].facts[0]
    return f" (from {facts[STARTED]})" if STARTED in facts else ""


def _place(row: str, class_name: str, measure: str) -> Place:
    return row, column_of(class_name, measure)


def _draw(results: Results) -> "Figure":
    from vitreous.report.reproduction import loss_curves

    facts = {row: results[row, LOSS].facts for row in results.rows}
    return loss_curves(
        "Five flowers: loss of the pretrained ViT, the ResNet, and the ViT from scratch",
        {
            part: {row: mean_curve([seed[part] for seed in seeds]) for row, seeds in facts.items()}
            for part in ("training", "validation")
        },
    )


def mean_curve(curves: Sequence[Sequence[Sequence[float]]]) -> "list[Point]":
    """Epoch, mean and deviation of the curves of several seeds, which have the same epochs."""
    return [
        (at[0][0], fmean(values), stdev(values) if len(values) > 1 else 0.0)
        for at in zip(*curves, strict=True)
        for values in [[value for _, value in at]]
    ]


def _paper() -> Sequence[PaperRun]:
    photos = Facts(data="five flowers", num_images=2936, num_classes=5, channels=3)
    vit = (variant_config("ViT-B/16"), Preprocessing(size=(224, 224)))
    runs = {
        "ViT-B/16, its head alone": replace(photos, weights="ViT-B_16.npz", trained=vit),
        "ResNet-50": replace(photos, model=variant_config("ResNet-50", num_classes=5)),
    }
    return [
        PaperRun(
            label=label,
            data=facts.data,
            images=facts.num_images,
            config=five_flowers(facts),
            gpus=1,
        )
        for label, facts in runs.items()
    ]


EXPERIMENT = Experiment(
    name="five_flowers",
    title="five flowers: a pretrained ViT against a ResNet from scratch, class by class",
    source="a public walk-through of the paper; section 4.3's small-data end",
    published_as="on 20 % held out: ViT-B/16 pretrained on ImageNet-21k, 2.5 hours, and a ResNet, "
    "2 hours, on one RTX 3090; its author suspects the ResNet's learning rate and length",
    published=_published(),
    form={"": ".3f", "accuracy": ".3f"},
    scales={
        "pocket": Scale(
            what="the walk-through's recipe in a quarter of its steps and of its batch, at 32 "
            "pixels, all weights moved: a ViT of 6 blocks of width 128 with patches of 8, "
            "pretrained here with the labels of CIFAR-10, 350,000 images seen (or, with --weights, "
            "that ViT at its own size); a classic ResNet of 3 units from width 16, and that ViT, "
            "from random weights",
            minutes=25,
        ),
        "lab": Scale(
            what="the walk-through's recipe: 200 epochs at 224 pixels in batches of 256, of the "
            "ViT-B/16 of --weights, its head alone moved; of ResNet-50 from random weights; and "
            "of ViT-B/16 from random weights",
            minutes=120,
            gpu=True,
        ),
    },
    trials=_trials,
    findings=_findings,
    draw=_draw,
    paper=_paper,
    takes_weights=True,
    check=_check,
    class_tables=_class_tables,
)
