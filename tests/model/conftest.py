from collections.abc import Callable
from typing import Any

import pytest
import torch

from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.vit import VisionTransformer

TINY = {
    "image_size": (24, 40),
    "patch": 8,
    "width": 24,
    "depth": 3,
    "mlp_width": 40,
    "heads": 3,
    "num_classes": 7,
}


@pytest.fixture
def tiny() -> Callable[..., ViTConfig]:
    """A small config, not square, with some fields changed."""
    return lambda **fields: ViTConfig(**{**TINY, **fields})


@pytest.fixture
def shaken(tiny: Callable[..., ViTConfig]) -> Callable[..., VisionTransformer]:
    """A small model whose every parameter is random: none is zero or one, logits are several."""

    def make(dtype: torch.dtype = torch.float32, **fields: Any) -> VisionTransformer:
        torch.manual_seed(0)
        model = create_model(tiny(**fields)).to(dtype)
        for name, parameter in model.named_parameters():
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            torch.nn.init.normal_(parameter, centre, 0.3)
        return model

    return make


@pytest.fixture
def images() -> Callable[..., torch.Tensor]:
    """Random normalised pixels."""

    def draw(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1)
        return torch.randn(*(shape or (2, 3, 24, 40)), generator=generator, dtype=dtype)

    return draw
