import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from vitreous.data.augmentation import Augmentation
from vitreous.data.open import open_dataset
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sample import Dataset
from vitreous.model.config import ViTConfig
from vitreous.train.config import OptimizerConfig, TrainConfig


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return open_dataset("digits")


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO())


def small_config(**changes: Any) -> TrainConfig:
    """Every source of randomness switched on, in a run of a second."""
    model = ViTConfig(
        image_size=(8, 8),
        patch=4,
        channels=1,
        width=16,
        depth=2,
        mlp_width=32,
        heads=2,
        num_classes=10,
        dropout=0.1,
        stochastic_depth=0.2,
    )
    config = TrainConfig(
        recipe="scratch",
        data="digits",
        model=model,
        preprocessing=Preprocessing(size=(8, 8), channels=1, mean=(0.5,), std=(0.5,)),
        augmentation=Augmentation(
            crop_area=(0.6, 1.0), rotate=10, translate=0.1, contrast=0.2, mixup=0.4, cutmix=1.0
        ),
        optimizer=OptimizerConfig(learning_rate=3e-3, weight_decay=0.05, clip=1.0),
        steps=12,
        batch_size=40,
        micro_batch=16,
        label_smoothing=0.1,
        average=0.9,
        precision="float32",
        checkpoint_seconds=1e9,
    )
    return replace(config, **changes)


@pytest.fixture
def make_config() -> Callable[..., TrainConfig]:
    return small_config


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    return tmp_path / "run"
