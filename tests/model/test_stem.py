import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.build import create_model, empty_model
from vitreous.model.config import ViTConfig
from vitreous.model.variants import list_models, variant_config
from vitreous.weights.evidence import variant_name


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("R50+ViT-B/16", 98_659_112),
        ("R26+ViT-S/32", 36_431_912),
        # Ti/16 with 8x8x64 patches for 16x16x3, 50 tokens for 197, and the root.
        (
            "R+ViT-Ti/16",
            5_717_416 + (8 * 8 * 64 - 16 * 16 * 3 - 147) * 192 + 7 * 7 * 3 * 64 + 2 * 64,
        ),
    ],
)
def test_hybrids_have_the_published_number_of_parameters(name: str, parameters: int) -> None:
    model = empty_model(variant_config(name))
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_every_listed_hybrid_is_a_variant() -> None:
    hybrids = [name for name in list_models() if "+" in name]
    assert len(hybrids) == 7
    for name in hybrids:
        assert variant_config(name).name == name
        assert variant_config(name.lower()).name == name
        config = variant_config(name)
        sizes = (config.width, config.depth, config.mlp_width, config.heads)
        assert variant_name(*sizes, config.patch, config.stem) == name
    assert variant_config("R50+L/32").stem == (3, 4, 6, 3)
    with pytest.raises(UserError, match=r"hybrids are R\+ViT-Ti/16"):
        variant_config("R50+ViT-B/8")


def test_starts_with_every_unit_as_its_shortcut() -> None:
    config = ViTConfig(
        image_size=(32, 32), patch=16, width=16, depth=1, mlp_width=16, heads=1, stem=(1, 1, 1)
    )
    model = create_model(config)
    unit = model.stem.stages[1][0]
    assert not unit.norm3.weight.any()
    assert unit.shortcut[1].weight.eq(1).all()
    images = torch.randn(2, 3, 32, 48)
    assert model.stem(images).shape == (2, 1024, 2, 3)
    assert model(images).shape == (2, 1000)


@pytest.mark.parametrize("fields", [{"patch": 8}, {"stem_width": 48}, {"stem": (1, 0)}])
def test_a_stem_that_cannot_be(fields: dict[str, object]) -> None:
    values = {"image_size": (32, 32), "patch": 16, "stem": (1, 1, 1)} | fields
    with pytest.raises(UserError, match=r"model\.stem"):
        ViTConfig(**values)
