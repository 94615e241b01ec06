"""Patches that are no squares, means over all tokens, attention without an output projection."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from torch.nn import functional as F

import vitreous
from small_models import build, stamped
from vitreous.analysis.attention import read_by_head
from vitreous.analysis.distance import patch_distances
from vitreous.errors import UserError
from vitreous.model.config import ViTConfig
from vitreous.model.cost import multiply_adds
from vitreous.model.patch import cut_patches, join_patches
from vitreous.model.pixel_kernel import resize_kernel
from vitreous.model.pool import build_pool
from vitreous.train.overrides import _parse, field_types
from vitreous.weights.adapt import adapt

OBLONG = {"image_size": (16, 24), "patch": (4, 8)}


def test_a_pair_of_equal_sides_is_one_number() -> None:
    assert ViTConfig(patch=(16, 16)) == ViTConfig()
    config = ViTConfig.from_dict(json.loads(json.dumps(asdict(ViTConfig(**OBLONG)))))
    assert (config.patch, config.patch_size, config.grid) == ((4, 8), (4, 8), (4, 3))
    assert config.side_step == 8


@pytest.mark.parametrize("patch", [(4,), (4, 0), (4, 8, 2), "16", None, 4.0])
def test_a_patch_that_is_none(patch: object) -> None:
    with pytest.raises(UserError, match=r"^model\.patch is "):
        ViTConfig(patch=patch)  # type: ignore[arg-type]


def test_a_stem_wants_squares() -> None:
    with pytest.raises(UserError, match="model.stem"):
        ViTConfig(image_size=64, patch=(16, 32), stem=(1, 1))


def test_each_side_has_its_own_step() -> None:
    with pytest.raises(UserError, match="image width 20 is no multiple of the patch side 8"):
        ViTConfig(image_size=(20, 20), patch=(4, 8))


def test_the_projection_is_that_of_a_convolution() -> None:
    model, images = build(**OBLONG), torch.randn(2, 3, 16, 24)
    expected = F.conv2d(images, model.patch.weight, model.patch.bias, stride=(4, 8))
    torch.testing.assert_close(model.patch(images), expected.flatten(2).mT)


def test_what_is_cut_is_joined_again() -> None:
    images = torch.randn(2, 3, 16, 24)
    assert torch.equal(join_patches(cut_patches(images, (4, 8)), (4, 3), (4, 8)), images)


def test_distances_count_pixels_of_both_sides() -> None:
    apart = patch_distances((2, 2), (4, 8))
    assert apart[0].tolist() == pytest.approx([0, 8, 4, 80**0.5])


def test_a_kernel_is_resized_side_by_side() -> None:
    kernel, patch = torch.randn(5, 3, 4, 8).double(), torch.randn(1, 3, 4, 8).double()
    enlarged = F.interpolate(patch, (6, 9), mode="bilinear", align_corners=False)
    resized = resize_kernel(kernel, (6, 9))
    torch.testing.assert_close((resized * enlarged).sum((1, 2, 3)), (kernel * patch).sum((1, 2, 3)))


def test_a_model_goes_from_squares_to_oblongs_and_is_saved(tmp_path) -> None:
    model = adapt(stamped(build()), patch=(4, 8), image_size=(16, 24))
    assert (model.config.patch, model.config.grid) == ((4, 8), (4, 3))
    vitreous.save(model, tmp_path / "x.safetensors")
    images = torch.randn(2, 3, 16, 24)
    assert torch.equal(vitreous.load(tmp_path / "x.safetensors")(images), model.eval()(images))


def test_a_pair_is_typed_with_an_x() -> None:
    kind = field_types()["model.patch"]
    assert _parse("model.patch", "16x8", kind) == (16, 8)
    assert _parse("model.patch", "16", kind) == 16
    assert (
        _parse("model.embedding_dropout", "none", field_types()["model.embedding_dropout"]) is None
    )


@pytest.mark.parametrize("registers", [0, 2])
def test_the_mean_over_all_leaves_registers_out(registers: int) -> None:
    config = ViTConfig(pooling="mean_all", registers=registers)
    x = torch.randn(2, 1 + registers + 9, 4)
    read = [0, *range(1 + registers, x.shape[1])]
    torch.testing.assert_close(build_pool(config)(x), x[:, read].mean(1))
    flow = torch.randn(2, x.shape[1], x.shape[1])
    seen = read_by_head(flow, (3, 3), 1 + registers, "mean_all")
    torch.testing.assert_close(seen.flatten(1), flow[:, read].mean(1)[:, 1 + registers :])


def test_the_mean_over_all_needs_a_class_token() -> None:
    with pytest.raises(UserError, match="needs model.class_token true"):
        ViTConfig(pooling="mean_all", class_token=False)


def test_heads_without_a_projection_fill_the_width() -> None:
    with pytest.raises(UserError, match="model.output_projection false"):
        ViTConfig(output_projection=False, heads=2, head_width=10)
    model = build(output_projection=False)
    assert not [name for name in model.state_dict() if "projection" in name]
    x = torch.randn(2, 17, 32)
    q, k, v = model.blocks[0].attention.qkv(x).unflatten(2, (3, 2, 16)).permute(2, 0, 3, 1, 4)
    expected = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    torch.testing.assert_close(model.blocks[0].attention(x), expected)
    less = multiply_adds(ViTConfig()) - multiply_adds(replace(ViTConfig(), output_projection=False))
    assert less == 12 * 197 * 768 * 768
