from collections.abc import Callable
from typing import Any

import pytest
import torch

from vitreous.data.batch import Batch
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.vit import VisionTransformer


def small_model(**fields: Any) -> VisionTransformer:
    torch.manual_seed(0)
    defaults: dict[str, Any] = {
        "image_size": (16, 16),
        "patch": 4,
        "width": 16,
        "depth": 2,
        "mlp_width": 32,
        "heads": 2,
        "num_classes": 0,
    }
    return create_model(ViTConfig(**{**defaults, **fields}))


@pytest.fixture
def make_model() -> Callable[..., VisionTransformer]:
    return small_model


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    def make(size: int = 5, channels: int = 3, side: int = 16) -> Batch:
        generator = torch.Generator().manual_seed(0)
        shape = (size, channels, side, side)
        return Batch(
            images=torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator),
            labels=torch.arange(size) % 3,
            index=torch.arange(size),
            mask=torch.ones(size, dtype=torch.bool),
        )

    return make
