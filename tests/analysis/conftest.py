"""Recordings made by hand, and small models of every kind."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer

KINDS: dict[str, dict[str, Any]] = {
    "class token": {},
    "mean": {"pooling": "mean", "class_token": False},
    "mean beside a class token": {"pooling": "mean"},
    "registers": {"registers": 2, "prefix_positions": False},
    "hybrid": {"stem": (1,), "stem_width": 32},
    "square": {"image_size": (24, 24)},
}


@pytest.fixture
def recorded() -> Callable[..., Recording]:
    """A recording of given attention weights, layer after layer."""

    def make(layers: list[torch.Tensor], grid: tuple[int, int], prefix: int) -> Recording:
        recording = Recording(attention="all")
        recording.begin(len(layers), grid, prefix)
        for layer, weights in enumerate(layers):
            recording.keep("attention", layer, weights)
        return recording

    return make


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> VisionTransformer:
    """A small model of each kind, every parameter random, on a grid of 3 x 5 or 3 x 3."""
    fields = {
        "image_size": (24, 40),
        "patch": 8,
        "width": 24,
        "depth": 3,
        "mlp_width": 40,
        "heads": 3,
        "num_classes": 7,
        **KINDS[request.param],
    }
    torch.manual_seed(0)
    network = create_model(ViTConfig(**fields))
    for name, parameter in network.named_parameters():
        centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        torch.nn.init.normal_(parameter, centre, 0.3)
    return network.eval()


@pytest.fixture
def pictures(model: VisionTransformer) -> torch.Tensor:
    """Two normalised images of the model's size."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 3, *model.config.image_size, generator=generator)
