"""A folded embedding of bytes is the embedding of normalised pixels."""

import copy

import pytest
import torch

from small_models import build, bytes_for
from vitreous.data.batch import normalise
from vitreous.data.preprocessing import Preprocessing
from vitreous.export.fold import (
    Folded,
    Normalise,
    fold_batch_norm,
    fold_normalisation,
    fold_standardisation,
)
from vitreous.model.batch_norm import BatchNorm
from vitreous.model.build import create_model
from vitreous.model.resnet_config import ResNetConfig

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def rule_of(model: torch.nn.Module) -> Preprocessing:
    return Preprocessing(size=model.config.image_size, mean=MEAN, std=STD)


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-6), (torch.bfloat16, 4e-3)])
@pytest.mark.parametrize("shape", [{}, {"patch_bias": False}])
def test_it_embeds_what_the_normalised_one_does(
    shape: dict[str, object], dtype: torch.dtype, near: float
) -> None:
    model = build(**shape)
    images = bytes_for(model)
    folded = copy.deepcopy(model)
    pixels = fold_normalisation(folded, MEAN, STD, dtype)
    assert isinstance(pixels, Folded)
    given = pixels(images)
    assert given.dtype == folded.patch.weight.dtype == dtype
    with torch.no_grad():
        expected, found = model.patches(normalise(images, rule_of(model))), folded.patches(given)
    assert float((found.float() - expected).norm() / expected.norm()) < near


def test_pixels_in_bfloat16_are_exact() -> None:
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(Folded(128, torch.bfloat16)(every).float(), every.float() - 128)


@pytest.mark.parametrize(
    "shape", [{"stem": (1, 1), "stem_width": 32, "patch": 16}, {"patch_norms": True}]
)
def test_what_cannot_be_folded_normalises(shape: dict[str, object]) -> None:
    size = {"image_size": (32, 32)} if "stem" in shape else {}
    model = build(**shape, **size)
    before = copy.deepcopy(model.state_dict())
    pixels = fold_normalisation(model, MEAN, STD, torch.bfloat16)
    assert isinstance(pixels, Normalise)
    images = bytes_for(model)
    torch.testing.assert_close(pixels(images), normalise(images, rule_of(model)))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_nothing_is_drawn_at_random() -> None:
    model = build(stem=(1, 1), stem_width=32, image_size=(32, 32), patch=8)
    torch.manual_seed(0)
    fold_standardisation(model)
    drawn = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(1))


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_norms_go_into_the_convolutions_before_them(block: str) -> None:
    torch.manual_seed(0)
    config = ResNetConfig(units=(2, 1), stem_width=8, image_size=(32, 32), block=block)
    model = create_model(config).eval()
    for name, tensor in model.state_dict().items():
        if "norm." in name:
            torch.nn.init.uniform_(tensor, 0.2, 2)
    images = torch.randn(2, 3, 33, 40)
    expected = model(images)
    fold_batch_norm(model)
    assert not any(isinstance(module, BatchNorm) for module in model.modules())
    torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)
