"""Recipes: short functions from facts about the data to a whole config."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace

from vitreous.data.augmentation import Augmentation
from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.model.pixel_kernel import follow_channels
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
    model: ModelConfig | None = None
    weights: str | None = None
    trained: tuple[ModelConfig, Preprocessing] | None = None


Recipe = Callable[[Facts], TrainConfig]


def scratch(facts: Facts) -> TrainConfig:
    """From random weights, on a set that fits one machine.

    vitreous train DATA --out RUN
    """
    if _are_glyphs(facts):
        return _glyphs(facts)
    return _photos_on_gpu(facts) if facts.gpu else _photos(facts)


def finetune(facts: Facts) -> TrainConfig:
    """Fine-tuning as in the paper (section 3.2, Table 4, appendix B.1.1).

    vitreous train DATA --weights FILE --recipe finetune --out RUN

    SGD with momentum 0.9, cosine decay, clip at 1, no weight decay, batch 512, a zero head, 384
    pixels with the position grid resampled, and a patch kernel for the data's channels. Steps by
    the size of the set: 500 below 20,000 images (Pets, Flowers), 10,000 below 500,000 (CIFAR), else
    20,000 (ImageNet). Warm-up of at most 500 steps is the official code's. The paper sweeps the
    learning rate; 0.01 lies in every sweep.
    """
    if facts.trained is None:
        raise UserError("recipe finetune starts from weights: give --weights FILE, or use scratch")
    trained, preprocessing = facts.trained
    size = _finetuning_size(trained)
    model = replace(
        trained.with_classes(facts.num_classes), image_size=size, channels=facts.channels
    )
    rule = replace(
        preprocessing,
        size=size,
        channels=facts.channels,
        mean=follow_channels(preprocessing.mean, facts.channels),
        std=follow_channels(preprocessing.std, facts.channels),
    )
    steps = 500 if facts.num_images < 20_000 else 10_000 if facts.num_images < 500_000 else 20_000
    return TrainConfig(
        recipe="finetune",
        data=facts.data,
        weights=facts.weights,
        model=model,
        preprocessing=rule,
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


def _finetuning_size(trained: ModelConfig) -> tuple[int, int]:
    """384 for a model of 224 pixels, and 12 / 7 of any smaller side; a larger one stays."""
    height, width = (
        max(side, min(side * 12 // 7, 384)) // trained.side_step * trained.side_step
        for side in trained.image_size
    )
    return height, width


def _are_glyphs(facts: Facts) -> bool:
    """Greyscale images of at most 32 pixels: digits, letters, icons. A mirror would change them."""
    return facts.channels == 1 and facts.image_size is not None and max(facts.image_size) <= 32


def _preprocessing(model: ModelConfig, crop_fraction: float = 1.0) -> Preprocessing:
    half = (0.5,) * model.channels
    return Preprocessing(
        size=model.image_size,
        channels=model.channels,
        crop_fraction=crop_fraction,
        mean=half,
        std=half,
    )


def _glyphs(facts: Facts) -> TrainConfig:
    """Digits: 50 epochs, under a minute on 2 cores, 99 % test accuracy.

    The scans are enlarged to 16 pixels, so that a patch of 4 sees 2 x 2 of them.
    """
    assert facts.image_size is not None
    side = 16 if max(facts.image_size) <= 16 else 32
    model = facts.model or ViTConfig(
        name="ViT-glyph",
        image_size=(side, side),
        patch=4,
        channels=facts.channels,
        width=96,
        depth=4,
        mlp_width=192,
        heads=3,
        num_classes=facts.num_classes,
        activation="gelu",
    )
    augmentation = Augmentation(
        rotate=12, scale=0.15, translate=0.1, mixup=0.2, mix_probability=0.5
    )
    return _from_scratch(facts, model, _preprocessing(model), augmentation, images_seen=72_000)


def _photos(facts: Facts) -> TrainConfig:
    """Photographs on a CPU: 64 pixels, 12 minutes on 2 cores for a few thousand images.

    Five flowers (3,670 photos): 79 % validation accuracy. What pays (benchmarks/training.md): Muon
    by far; a narrow, deep model; small images first, larger ones last.
    """
    if facts.model is not None:
        rule = _preprocessing(facts.model, crop_fraction=0.875)
        return _from_scratch(facts, facts.model, rule, _PHOTO_AUGMENTATION, images_seen=240_000)
    model = ViTConfig(
        name="ViT-photo",
        image_size=(64, 64),
        patch=8,
        channels=facts.channels,
        width=128,
        depth=8,
        mlp_width=512,
        heads=4,
        num_classes=facts.num_classes,
        class_token=False,
        pooling="mean",
        activation="gelu",
        stochastic_depth=0.1,
    )
    rule = _preprocessing(replace(model, image_size=(80, 80)), crop_fraction=0.875)
    sizes = ScheduleConfig(warmup=0.05, sides=(48, 64, 80), side_starts=(0.0, 0.6, 0.9))
    config = _from_scratch(facts, model, rule, _PHOTO_AUGMENTATION, images_seen=240_000)
    return replace(config, schedule=sizes)


def _photos_on_gpu(facts: Facts) -> TrainConfig:
    """Photographs on a GPU: 128 pixels and a larger model, for longer; not measured yet."""
    model = facts.model or ViTConfig(
        name="ViT-photo-128",
        image_size=(128, 128),
        patch=8,
        channels=facts.channels,
        width=256,
        depth=10,
        mlp_width=1024,
        heads=8,
        num_classes=facts.num_classes,
        class_token=False,
        pooling="mean",
        activation="gelu",
        stochastic_depth=0.2,
    )
    rule = _preprocessing(model, crop_fraction=0.875)
    return _from_scratch(
        facts, model, rule, _PHOTO_AUGMENTATION, images_seen=1_000_000, batch_size=128
    )


def _from_scratch(
    facts: Facts,
    model: ModelConfig,
    rule: Preprocessing,
    augmentation: Augmentation,
    *,
    images_seen: int,
    batch_size: int = 64,
) -> TrainConfig:
    """What every run from scratch shares: cosine, smoothing, and an average of weights.

    Muon moves what has an encoder, and AdamW a ResNet, whose kernels are no matrices. As many
    epochs as show `images_seen` images, between 20 and 300. The average looks back over a twentieth
    of the run.
    """
    epochs = min(max(round(images_seen / max(facts.num_images, 1)), 20), 300)
    window = epochs * facts.num_images / batch_size / 20
    return TrainConfig(
        recipe="scratch",
        data=facts.data,
        model=model,
        preprocessing=rule,
        augmentation=augmentation,
        optimizer=_MUON if model.attention_layers else _ADAMW,
        schedule=ScheduleConfig(warmup=0.05),
        epochs=float(epochs),
        batch_size=batch_size,
        label_smoothing=0.1,
        average=max(1 - 1 / window, 0.0) if window else 0.0,
    )


_MUON = OptimizerConfig(
    name="muon",
    learning_rate=2e-3,
    adam_learning_rate=2e-3,
    momentum=0.95,
    betas=(0.9, 0.99),
    weight_decay=0.1,
)

_ADAMW = OptimizerConfig(name="adamw", learning_rate=2e-3, betas=(0.9, 0.99), weight_decay=0.1)

_PHOTO_AUGMENTATION = Augmentation(
    crop_area=(0.2, 1.0),
    flip=0.5,
    brightness=0.3,
    contrast=0.3,
    saturation=0.3,
    mixup=0.4,
    cutmix=1.0,
    mix_probability=0.7,
)
