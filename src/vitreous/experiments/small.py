"""The models and recipes that fit two cores, or one GPU, in place of the paper's."""

from typing import Any

from vitreous.data.augmentation import Augmentation
from vitreous.data.sample import Dataset
from vitreous.model.bit_config import BiTConfig
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.model.resnet_config import ResNetConfig
from vitreous.train.config import OptimizerConfig, ScheduleConfig, TrainConfig
from vitreous.train.recipes.facts import plain_rule

ADAM = OptimizerConfig(learning_rate=1e-3, weight_decay=0.05, clip=1.0)
"""Adam with decoupled decay, clipped at 1 (the paper's Table 3), at a rate for small batches."""

MUON = OptimizerConfig(
    name="muon",
    learning_rate=2e-3,
    adam_learning_rate=2e-3,
    momentum=0.95,
    betas=(0.9, 0.99),
    weight_decay=0.1,
)
"""The recipe `scratch`'s for Transformers."""

MOMENTUM = OptimizerConfig(name="sgd", learning_rate=0.1, weight_decay=1e-4)
"""SGD as BiT's, at a rate for small batches."""


def small_vit(dataset: Dataset, patch: int, width: int, depth: int, **fields: Any) -> ViTConfig:
    """A Vision Transformer for a data set of small images: MLPs of twice the width, heads of 16.

    Args:
        dataset: Gives side, channels and classes.
        patch: P, pixels.
        width: D, a multiple of 16.
        depth: L.
        **fields: Of the config, in place of these.
    """
    assert dataset.image_size is not None
    values: dict[str, Any] = {
        "name": f"ViT-{width}x{depth}/{patch}",
        "image_size": dataset.image_size,
        "patch": patch,
        "channels": dataset.channels,
        "width": width,
        "depth": depth,
        "mlp_width": 2 * width,
        "heads": width // 16,
        "num_classes": dataset.num_classes,
        "activation": "gelu",  # the exact one, the faster of the two on a CPU
    }
    return ViTConfig(**(values | fields))


def small_resnet(dataset: Dataset, units: tuple[int, ...], width: int) -> BiTConfig:
    """A BiT ResNet (GroupNorm, standardised kernels) whose root keeps the resolution.

    Args:
        dataset: Gives side, channels and classes.
        units: Of each stage; every stage but the first halves the sides.
        width: Channels of the root, a multiple of 8.
    """
    assert dataset.image_size is not None
    return BiTConfig(
        name=f"ResNet-{width}x{sum(units)}",
        image_size=dataset.image_size,
        channels=dataset.channels,
        num_classes=dataset.num_classes,
        units=units,
        stem_width=width,
        root="plain",
        norm_groups=8,
    )


def small_classic_resnet(dataset: Dataset, units: tuple[int, ...], width: int) -> ResNetConfig:
    """A ResNet with BatchNorm of units of two convolutions, whose root keeps the resolution.

    Args:
        dataset: Gives side, channels and classes.
        units: Of each stage; every stage but the first halves the sides.
        width: Channels of the root.
    """
    assert dataset.image_size is not None
    return ResNetConfig(
        name=f"ResNet-{width}x{sum(units)}",
        image_size=dataset.image_size,
        channels=dataset.channels,
        num_classes=dataset.num_classes,
        units=units,
        stem_width=width,
        root="plain",
        block="basic",
    )


def training(
    dataset: Dataset,
    model: ModelConfig,
    *,
    images_seen: int,
    optimizer: OptimizerConfig = ADAM,
    augmentation: Augmentation | None = None,
    batch_size: int = 64,
    **fields: Any,
) -> TrainConfig:
    """A run of so many images: cosine with a warm-up of a tenth.

    Args:
        dataset: Trained on.
        model: From random weights, unless the trial starts from others.
        images_seen: Over all epochs.
        optimizer: Adam where not given.
        augmentation: None where not given.
        batch_size: Images a step.
        **fields: Of the config, in place of these.
    """
    values: dict[str, Any] = {
        "recipe": "reproduce",
        "data": dataset.address,
        "model": model,
        "preprocessing": plain_rule(model),
        "optimizer": optimizer,
        "augmentation": augmentation or Augmentation(),
        "schedule": ScheduleConfig(warmup=0.1),
        "steps": max(images_seen // batch_size, 1),
        "batch_size": batch_size,
        "checkpoint_keep": 1,
    }
    return TrainConfig(**(values | fields))
