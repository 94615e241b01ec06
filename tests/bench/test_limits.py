"""What the machine could do."""

import pytest
import torch

from vitreous.bench.limits import bare_products, memory_bandwidth, product_shapes
from vitreous.model.cost import multiply_adds
from vitreous.model.variants import variant_config


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("ViT-Ti/16", {}),
        ("ViT-B/16", {}),
        ("ViT-S/32", {"registers": 4, "activation": "swiglu", "num_classes": 7}),
    ],
)
def test_the_products_are_the_model_s(name: str, changes: dict[str, object]) -> None:
    """All that PyTorch counts of a forward pass, but for the attention's own."""
    config = variant_config(name, **changes)
    rows = sum(m * k * n for m, k, n in product_shapes(config, 1))
    tokens = config.grid[0] * config.grid[1] + config.prefix
    attention = 2 * config.depth * tokens**2 * config.width
    assert rows + attention == multiply_adds(config)


def test_they_run() -> None:
    config = variant_config("ViT-Ti/16", depth=2, image_size=32)
    products = bare_products(config, 3, torch.bfloat16, "cpu")
    assert products is not None
    products.run()
    assert products.operations == 2 * sum(m * k * n for m, k, n in product_shapes(config, 3))
    assert bare_products(variant_config("BiT-R50x1"), 1, torch.float32, "cpu") is None


def test_bandwidth() -> None:
    assert 1e8 < memory_bandwidth("cpu") < 1e13
