"""From random weights on a set that fits one machine: what was measured here."""

from dataclasses import replace

from vitreous.data.augmentation import Augmentation
from vitreous.data.preprocessing import Preprocessing
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.train.config import (
    OptimizerConfig,
    ParallelConfig,
    ScheduleConfig,
    TrainConfig,
)
from vitreous.train.recipes.facts import Facts, are_glyphs, plain_rule


def scratch(facts: Facts) -> TrainConfig:
    """From random weights, on a set that fits one machine.

    vitreous train DATA --out RUN

    Time: digits under a minute; a few thousand photos 12 to 13 minutes, both on 2 CPU cores.
    Score: digits 99 % of the test images; five flowers (3,670 photos) 79.5 % and 79.7 % of 735
    validation images, seeds 0 and 1. Measured here (benchmarks/training.md).
    """
    if are_glyphs(facts):
        return _glyphs(facts)
    if not facts.gpu:
        return _photos(facts)
    small = facts.image_size is not None and max(facts.image_size) <= 64
    return _small_photos_on_gpu(facts) if small else _photos_on_gpu(facts)


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
    return _from_scratch(facts, model, plain_rule(model), augmentation, images_seen=72_000)


def _photos(facts: Facts) -> TrainConfig:
    """Photographs on a CPU: 64 pixels, 12 minutes on 2 cores for a few thousand images.

    Five flowers (3,670 photos): 79 % validation accuracy. What pays (benchmarks/training.md): Muon
    by far; a narrow, deep model; small images first, larger ones last.
    """
    if facts.model is not None:
        rule = plain_rule(facts.model, crop_fraction=0.875)
        return _from_scratch(facts, facts.model, rule, _PHOTO_AUGMENTATION, images_seen=240_000)
    model = _photo_vit(facts, "ViT-photo", side=64, patch=8, width=128, depth=8, heads=4, drop=0.1)
    rule = plain_rule(replace(model, image_size=(80, 80)), crop_fraction=0.875)
    sizes = ScheduleConfig(warmup=0.05, sides=(48, 64, 80), side_starts=(0.0, 0.6, 0.9))
    config = _from_scratch(facts, model, rule, _PHOTO_AUGMENTATION, images_seen=240_000)
    return replace(config, schedule=sizes)


def _photos_on_gpu(facts: Facts) -> TrainConfig:
    """Photographs on a GPU: 128 pixels and a larger model, for longer; not measured yet."""
    model = facts.model or _photo_vit(
        facts, "ViT-photo-128", side=128, patch=8, width=256, depth=10, heads=8, drop=0.2
    )
    rule = plain_rule(model, crop_fraction=0.875)
    return _from_scratch(
        facts, model, rule, _PHOTO_AUGMENTATION, images_seen=1_000_000, batch_size=128
    )


def _small_photos_on_gpu(facts: Facts) -> TrainConfig:
    """Photographs of 64 pixels or less on a GPU, such as CIFAR's; not measured as it is.

    CIFAR-10 in batches of 512: 84.6 % of validation images after 52 epochs (benchmarks/gpu.md).

    A grid of 8 x 8 patches. The augmentation is that of Hassani et al. 2021 (arXiv 2104.05704), who
    train small ViTs on CIFAR, with TrivialAugment in AutoAugment's place.
    """
    assert facts.image_size is not None
    side = -(-max(facts.image_size) // 8) * 8
    model = facts.model or _photo_vit(
        facts, f"ViT-photo-{side}", side=side, patch=side // 8, width=384, depth=9, heads=6
    )
    augmentation = Augmentation(
        translate=0.125,
        flip=0.5,
        policy="trivialaugment" if facts.channels in (1, 3) else "none",
        erase=0.25,
        mixup=0.8,
        cutmix=1.0,
    )
    config = _from_scratch(
        facts, model, plain_rule(model), augmentation, images_seen=10_000_000, batch_size=1024
    )
    fixed_shapes = not getattr(model, "stochastic_depth", 0)
    return replace(config, parallel=ParallelConfig(compile=fixed_shapes))


def _photo_vit(
    facts: Facts,
    name: str,
    *,
    side: int,
    patch: int,
    width: int,
    depth: int,
    heads: int,
    drop: float = 0.0,
) -> ViTConfig:
    """The mean of the patches in place of a class token; MLPs of four times the width."""
    return ViTConfig(
        name=name,
        image_size=(side, side),
        patch=patch,
        channels=facts.channels,
        width=width,
        depth=depth,
        mlp_width=4 * width,
        heads=heads,
        num_classes=facts.num_classes,
        class_token=False,
        pooling="mean",
        activation="gelu",
        stochastic_depth=drop,
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

    Muon moves what has an encoder; a ResNet has no matrices for it, and is moved by SGD, as BiT is.
    As many epochs as show `images_seen` images, between 20 and 300. The average looks back over a
    twentieth of the run.
    """
    epochs = min(max(round(images_seen / max(facts.num_images, 1)), 20), 300)
    window = epochs * facts.num_images / batch_size / 20
    return TrainConfig(
        recipe="scratch",
        data=facts.data,
        model=model,
        preprocessing=rule,
        augmentation=augmentation,
        optimizer=_MUON if model.attention_layers else _MOMENTUM,
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

_MOMENTUM = OptimizerConfig(name="sgd", learning_rate=0.1, momentum=0.9, weight_decay=1e-4)

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
