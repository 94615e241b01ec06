"""Recipes: short functions from facts about the data to a whole config."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace

from vitreous.data.augmentation import Augmentation
from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.config import ViTConfig
from vitreous.train.config import OptimizerConfig, ScheduleConfig, TrainConfig


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a recipe may look at.

    Attributes:
        data: Address of the data set.
        num_images: Training images, validation included where it is yet to be split off.
        num_classes: K.
        channels: C.
        image_size: (H, W) where all images share it.
        gpu: Whether a GPU will do the work.
        model: The variant that was asked for by name, at K classes and C channels.
        weights: Checkpoint to start from.
        trained: Architecture and preprocessing of that checkpoint.
    """

    data: str
    num_images: int
    num_classes: int
    channels: int
    image_size: tuple[int, int] | None = None
    gpu: bool = False
    model: ViTConfig | None = None
    weights: str | None = None
    trained: tuple[ViTConfig, Preprocessing] | None = None


Recipe = Callable[[Facts], TrainConfig]


def scratch(facts: Facts) -> TrainConfig:
    """From random weights, on a set that fits one machine.

    vitreous train DATA --out RUN
    """
    return _glyphs(facts) if _are_glyphs(facts) else _photos(facts)


def finetune(facts: Facts) -> TrainConfig:
    """Fine-tuning as in the paper (section 3.2, Table 4, appendix B.1.1).

    vitreous train DATA --weights FILE --recipe finetune --out RUN

    SGD with momentum 0.9, cosine decay, clip at 1, no weight decay, batch 512, a zero head, 384
    pixels with the position grid resampled. Steps by the size of the set: 500 below 20,000 images
    (Pets, Flowers), 10,000 below 500,000 (CIFAR), else 20,000 (ImageNet). Warm-up of at most 500
    steps is the official code's. The paper sweeps the learning rate; 0.01 lies in every sweep.
    """
    if facts.trained is None:
        raise UserError("recipe finetune starts from weights: give --weights FILE, or use scratch")
    trained, preprocessing = facts.trained
    size = _finetuning_size(trained)
    model = replace(trained, image_size=size, num_classes=facts.num_classes, pre_logits=None)
    steps = 500 if facts.num_images < 20_000 else 10_000 if facts.num_images < 500_000 else 20_000
    return TrainConfig(
        recipe="finetune",
        data=facts.data,
        weights=facts.weights,
        model=model,
        preprocessing=replace(preprocessing, size=size),
        augmentation=Augmentation(crop_area=(0.05, 1.0), flip=0.0 if _are_glyphs(facts) else 0.5),
        optimizer=OptimizerConfig(name="sgd", learning_rate=0.01, momentum=0.9, clip=1.0),
        schedule=ScheduleConfig(shape="cosine", warmup=min(500 / steps, 0.1)),
        steps=steps,
        batch_size=512,
    )


RECIPES: dict[str, Recipe] = {"scratch": scratch, "finetune": finetune}


def find_recipe(name: str) -> Recipe:
    """A recipe by name.

    Raises:
        UserError: No such recipe; names the nearest and all.
    """
    if name in RECIPES:
        return RECIPES[name]
    nearest = difflib.get_close_matches(name, RECIPES, n=1)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    raise UserError(f"unknown recipe {name!r}: {hint}there are {', '.join(RECIPES)}")


def _finetuning_size(trained: ViTConfig) -> tuple[int, int]:
    """384 for a model of 224 pixels, and 12 / 7 of any smaller side; a larger one stays."""
    height, width = (
        max(side, min(side * 12 // 7, 384)) // trained.patch * trained.patch
        for side in trained.image_size
    )
    return height, width


def _are_glyphs(facts: Facts) -> bool:
    """Greyscale images of at most 32 pixels: digits, letters, icons. A mirror would change them."""
    return facts.channels == 1 and facts.image_size is not None and max(facts.image_size) <= 32


def _preprocessing(model: ViTConfig, crop_fraction: float = 1.0) -> Preprocessing:
    half = (0.5,) * model.channels
    return Preprocessing(
        size=model.image_size,
        channels=model.channels,
        crop_fraction=crop_fraction,
        mean=half,
        std=half,
    )


def _glyphs(facts: Facts) -> TrainConfig:
    """Digits (1,437 scans of 8 x 8): 120 s on 2 cores, 98 to 99 % test accuracy."""
    model = facts.model or ViTConfig(
        name="ViT-glyph",
        image_size=(16, 16),
        patch=4,
        channels=facts.channels,
        width=96,
        depth=6,
        mlp_width=384,
        heads=3,
        num_classes=facts.num_classes,
        activation="gelu",
        stochastic_depth=0.1,
    )
    return TrainConfig(
        recipe="scratch",
        data=facts.data,
        model=model,
        preprocessing=_preprocessing(model),
        augmentation=Augmentation(rotate=12, scale=0.15, translate=0.1, mixup=0.2),
        optimizer=OptimizerConfig(
            name="adamw", learning_rate=2e-3, betas=(0.9, 0.99), weight_decay=0.05, clip=1.0
        ),
        schedule=ScheduleConfig(warmup=0.1),
        epochs=100,
        batch_size=128,
        label_smoothing=0.1,
        average=0.99,
    )


def _photos(facts: Facts) -> TrainConfig:
    """Photographs: 64 pixels on a CPU, 128 and a larger model on a GPU."""
    model = facts.model or ViTConfig(
        name="ViT-photo",
        image_size=(64, 64),
        patch=8,
        channels=facts.channels,
        width=192,
        depth=8,
        mlp_width=768,
        heads=3,
        num_classes=facts.num_classes,
        activation="gelu",
        stochastic_depth=0.1,
    )
    return TrainConfig(
        recipe="scratch",
        data=facts.data,
        model=model,
        preprocessing=_preprocessing(model),
        augmentation=Augmentation(crop_area=(0.25, 1.0), flip=0.5, mixup=0.2, cutmix=1.0),
        optimizer=OptimizerConfig(
            name="adamw", learning_rate=1e-3, betas=(0.9, 0.99), weight_decay=0.05, clip=1.0
        ),
        schedule=ScheduleConfig(warmup=0.1),
        epochs=60,
        batch_size=128,
        label_smoothing=0.1,
        average=0.998,
    )
