from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vitreous.model.build import empty_model
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
        {"stem": ()},
        {"stem": (1, 2), "patch": 8},
        {"stem": (1, 1, 2), "patch": 32},
        {"stem": (2, 2, 1), "patch": 16},
    ],
)
@pytest.mark.parametrize("size", [None, (64, 32)])
def test_the_formula_counts_what_torch_counts(
    fields: dict[str, Any], size: tuple[int, int] | None
) -> None:
    config = ViTConfig(**(SMALL | fields))
    model = empty_model(config).eval()  # on meta, where attention is made of counted products
    images = torch.empty(1, config.channels, *(size or config.image_size), device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        (tokens,) = model.features(images, as_grid=False)  # the last block in full
        model.head(model.pre_logits(model.pool(tokens)))
    assert 2 * multiply_adds(config, size) == counter.get_total_flops()


@pytest.mark.parametrize(
    ("name", "billions"),
    [("ViT-B/32", 4.409), ("ViT-B/16", 17.564), ("ViT-L/32", 15.378), ("ViT-L/16", 61.555)],
)
def test_published_counts(name: str, billions: float) -> None:
    """torchvision's, in its weights' metadata."""
    assert multiply_adds(variant_config(name)) / 1e9 == pytest.approx(billions, abs=6e-4)


def test_parameters() -> None:
    assert count_parameters(variant_config("ViT-B/16")) == 86_567_656
