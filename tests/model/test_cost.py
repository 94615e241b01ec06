from math import prod
from typing import Any

import pytest

from vitreous.model.config import ViTConfig
from vitreous.model.cost import count_parameters, multiply_adds
from vitreous.model.variants import variant_config

SMALL = {
    "image_size": (32, 64),
    "patch": 16,
    "width": 24,
    "depth": 2,
    "mlp_width": 40,
    "heads": 3,
    "num_classes": 7,
}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pooling": "mean", "class_token": False},
        {"registers": 3, "pooling": "mean"},
        {"head_width": 5, "channels": 1},
        {"pre_logits": 11},
        {"num_classes": 0},
    ],
)
@pytest.mark.parametrize("size", [None, (64, 32)])
def test_by_hand(fields: dict[str, Any], size: tuple[int, int] | None) -> None:
    """A block of S tokens takes S (4 D k d + 2 D F) + 2 S^2 k d."""
    config = ViTConfig(**(SMALL | fields))
    patches = prod(config.grid_of(size or config.image_size))
    tokens, inner, width = patches + config.prefix, config.heads * config.head_dim, config.width
    patch = patches * width * config.channels * config.patch**2
    block = tokens * width * (4 * inner + 2 * config.mlp_width) + 2 * tokens**2 * inner
    hidden = config.pre_logits or width
    head = hidden * config.num_classes + width * (config.pre_logits or 0)
    assert multiply_adds(config, size) == patch + config.depth * block + head


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("ViT-B/32", 4.409),
        ("ViT-B/16", 17.564),
        ("ViT-L/32", 15.378),
        ("ViT-L/16", 61.555),
        ("BiT-R50x1", 4.089),
    ],
)
def test_published_counts(name: str, billions: float) -> None:
    """torchvision's, in its weights' metadata."""
    assert multiply_adds(variant_config(name)) / 1e9 == pytest.approx(billions, abs=6e-4)


def test_parameters() -> None:
    assert count_parameters(variant_config("ViT-B/16")) == 86_567_656
