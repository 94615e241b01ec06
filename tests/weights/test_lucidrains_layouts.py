"""Every layout of vit-pytorch against a plain forward written from its names alone.

Nothing of the package takes part in the forward: the layout's words decide which tensors there are
and in what order they are used.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

import vitreous
from small_models import build
from vitreous.errors import UserError
from vitreous.weights.convert import convert

TOLERANCE = 2e-5
D, DEPTH, K = 24, 2, 5
INSIDE = ("0.norm", "0.to_qkv", "0.to_out.0", "1.net.0", "1.net.1", "1.net.4")
AROUND = ("0.norm", "0.fn.to_qkv", "0.fn.to_out.0", "1.norm", "1.fn.net.0", "1.fn.net.3")
RESIDUAL = tuple(f"{name[:2]}fn.{name[2:]}" for name in AROUND)
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Layout:
    """What a release prints."""

    patch: str
    block: tuple[str, ...]
    norm: str
    axes: int
    mean_has_token: bool


RELEASES = {
    "0.7": Layout("to_patch_embedding.1", RESIDUAL, "mlp_head.0", 1, True),
    "0.20": Layout("to_patch_embedding.1", AROUND, "mlp_head.0", 1, True),
    "1.2": Layout("to_patch_embedding.2", AROUND, "mlp_head.0", 1, True),
    "1.6": Layout("to_patch_embedding.2", INSIDE, "transformer.norm", 1, True),
    "1.16.0": Layout("to_patch_embedding.2", INSIDE, "transformer.norm", 1, False),
    "1.26": Layout("to_patch_embedding.2", INSIDE, "transformer.norm", 0, False),
    "patch dropout": Layout("to_patch_embedding.1", INSIDE, "mlp_head.0", 1, True),
    "a linear layer": Layout("to_patch_embedding", AROUND, "transformer.norm", 1, True),
}
SHAPES: dict[str, dict[str, Any]] = {
    "square": {"image_size": 16, "patch_size": 4, "heads": 3, "dim_head": 8},
    "wide heads": {"image_size": 16, "patch_size": 8, "heads": 2, "dim_head": 20},
    "one full head": {"image_size": 16, "patch_size": 8, "heads": 1, "dim_head": D},
    "oblong": {"image_size": [12, 24], "patch_size": [6, 3], "heads": 3, "dim_head": 8},
    "grey": {"image_size": [8, 24], "patch_size": 4, "heads": 3, "dim_head": 8, "channels": 1},
}


def pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def tensors_of(layout: Layout, said: dict[str, Any]) -> Tensors:
    (H, W), (P, Q) = pair(said["image_size"]), pair(said["patch_size"])
    numbers, inner = said.get("channels", 3) * P * Q, said["heads"] * said["dim_head"]
    norm, qkv, out, mlp_norm, expand, contract = layout.block
    token = int(said["pool"] == "cls" or layout.mean_has_token)
    ones = (1,) * layout.axes
    linears = {layout.patch: (D, numbers)}
    norms = {layout.norm: D}
    if layout.patch.endswith(".2"):
        norms |= {"to_patch_embedding.1": numbers, "to_patch_embedding.3": D}
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (*ones, token, D),
        "pos_embedding": (*ones, H // P * (W // Q) + token, D),
    }
    for i in range(DEPTH):
        at = f"transformer.layers.{i}."
        shapes[f"{at}{qkv}.weight"] = (3 * inner, D)
        linears |= {f"{at}{expand}": (40, D), f"{at}{contract}": (D, 40)}
        if said["heads"] > 1 or said["dim_head"] != D:
            linears[at + out] = (D, inner)
        norms |= {at + norm: D, at + mlp_norm: D}
    linears["mlp_head.1" if layout.norm == "mlp_head.0" else "mlp_head"] = (K, D)
    for name, shape in linears.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name, width in norms.items():
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    generator = torch.Generator().manual_seed(len(shapes))
    return {name: torch.randn(s, generator=generator) * 0.4 for name, s in shapes.items()}


def forward(t: Tensors, layout: Layout, said: dict[str, Any], images: Tensor) -> Tensor:
    P, Q = pair(said["patch_size"])
    B, C, H, W = images.shape
    x = (
        images.reshape(B, C, H // P, P, W // Q, Q)
        .permute(0, 2, 4, 3, 5, 1)
        .reshape(B, -1, P * Q * C)
    )

    def linear(name: str, y: Tensor) -> Tensor:
        return F.linear(y, t[f"{name}.weight"], t.get(f"{name}.bias"))

    def norm(name: str, y: Tensor) -> Tensor:
        return F.layer_norm(y, y.shape[-1:], t[f"{name}.weight"], t[f"{name}.bias"], 1e-5)

    if layout.patch.endswith(".2"):
        x = norm("to_patch_embedding.3", linear(layout.patch, norm("to_patch_embedding.1", x)))
    else:
        x = linear(layout.patch, x)
    x = torch.cat([t["cls_token"].reshape(-1, D).expand(B, -1, -1), x], 1)
    x = x + t["pos_embedding"].reshape(-1, D)
    first, qkv, out, second, expand, contract = layout.block
    for i in range(DEPTH):
        at = f"transformer.layers.{i}."
        packed = linear(at + qkv, norm(at + first, x)).unflatten(2, (3, said["heads"], -1))
        q, k, v = packed.permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * said["dim_head"] ** -0.5).softmax(-1)
        y = (weights @ v).transpose(1, 2).flatten(2)
        x = x + (linear(at + out, y) if f"{at}{out}.weight" in t else y)
        x = x + linear(at + contract, F.gelu(linear(at + expand, norm(at + second, x))))
    if layout.norm == "transformer.norm":
        x = norm("transformer.norm", x)
    x = x.mean(1) if said["pool"] == "mean" else x[:, 0]
    if layout.norm == "mlp_head.0":
        return linear("mlp_head.1", norm("mlp_head.0", x))
    return linear("mlp_head", x)


def written(folder: Path, tensors: Tensors, said: dict[str, Any]) -> Path:
    save_file(tensors, folder / "vit.safetensors")
    (folder / "vit.config.json").write_text(json.dumps(said))
    return folder / "vit.safetensors"


def images_for(said: dict[str, Any]) -> Tensor:
    shape = (3, said.get("channels", 3), *pair(said["image_size"]))
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def difference(model: Any, expected: Tensor, images: Tensor) -> float:
    with torch.inference_mode():
        return float((model(images) - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("release", RELEASES)
def test_gives_the_logits_of_its_release(
    tmp_path: Path, release: str, shape: str, pool: str
) -> None:
    layout, said = RELEASES[release], SHAPES[shape] | {"pool": pool}
    tensors = tensors_of(layout, said)
    model = vitreous.load(written(tmp_path, tensors, said))
    images = images_for(said)
    expected = forward(tensors, layout, said, images)
    assert difference(model, expected, images) <= TOLERANCE
    vitreous.save(model, tmp_path / "ours.safetensors")
    again = vitreous.load(tmp_path / "ours.safetensors")
    assert again.config == model.config
    assert difference(again, expected, images) <= TOLERANCE


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize("release", ["0.7", "0.20", "1.2", "1.6", "1.16.0", "1.26"])
def test_is_written_as_the_newest_release_that_can_say_it(
    tmp_path: Path, release: str, pool: str
) -> None:
    layout, said = RELEASES[release], SHAPES["oblong"] | {"pool": pool}
    model = vitreous.load(written(tmp_path, tensors_of(layout, said), said))
    assert convert(model, tmp_path / "out", "lucidrains").difference == 0
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    said = json.loads((tmp_path / "out" / "config.json").read_text())
    newest = "1.26"
    if release in ("0.7", "0.20"):  # has no norms around the patch projection
        newest = release
    elif pool == "mean" and layout.mean_has_token:
        newest = release
    assert tensors["pos_embedding"].ndim == 2 + RELEASES[newest].axes
    images = images_for(said)
    expected = forward(tensors, RELEASES[newest], said, images)
    assert difference(model, expected, images) <= TOLERANCE
    assert set(tensors) == set(tensors_of(RELEASES[newest], said))


def test_a_mixture_that_no_release_reads_is_not_written(tmp_path: Path) -> None:
    layout, said = RELEASES["patch dropout"], SHAPES["square"] | {"pool": "mean"}
    layout = Layout("to_patch_embedding.1", INSIDE, "transformer.norm", 1, True)
    model = vitreous.load(written(tmp_path, tensors_of(layout, said), said))
    with pytest.raises(UserError, match="cannot say patch_norms False"):
        convert(model, tmp_path / "out", "lucidrains")


def test_the_pooling_that_tensors_cannot_tell_is_assumed_aloud_or_given(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    layout, said = RELEASES["1.6"], dict(SHAPES["square"])
    tensors, images = tensors_of(layout, said | {"pool": "cls"}), images_for(said)
    file = written(tmp_path, tensors, said)
    with caplog.at_level(logging.WARNING, "vitreous"):
        model = vitreous.load(file)
    assert "assumed pooling by the class token" in caplog.text
    assert any("pooling='mean'" in words for words in model.passport.assumptions)
    for pool, pooling in (("cls", "token"), ("mean", "mean")):
        expected = forward(tensors, layout, said | {"pool": pool}, images)
        given = vitreous.load(file, pooling=pooling)
        assert difference(given, expected, images) <= TOLERANCE
        assert not any("pooling" in words for words in given.passport.assumptions)
    assert difference(
        model, forward(tensors, layout, said | {"pool": "cls"}, images), images
    ) == 0 or (model.config.pooling == "token")


def test_a_pooling_that_the_tensors_deny(tmp_path: Path) -> None:
    layout, said = RELEASES["1.26"], SHAPES["square"] | {"pool": "mean"}
    file = written(tmp_path, tensors_of(layout, said), said)
    with pytest.raises(UserError, match="has no class token: pool is 'mean', not 'cls'"):
        vitreous.load(file, pooling="token")


def test_pooling_given_to_a_file_that_says_it_itself(tmp_path: Path) -> None:
    vitreous.save(build(), tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="leave pooling='mean' out"):
        vitreous.load(tmp_path / "x.safetensors", pooling="mean")


def test_without_an_output_projection_there_is_one_head(tmp_path: Path) -> None:
    layout, said = RELEASES["1.26"], SHAPES["one full head"] | {"pool": "cls"}
    tensors = tensors_of(layout, said)
    file = written(tmp_path, tensors, {})
    model = vitreous.load(file)
    assert (model.config.heads, model.config.output_projection) == (1, False)
    assert not any("heads" in words for words in model.passport.assumptions)
    with pytest.raises(UserError, match="heads 3, its tensors say 1"):
        vitreous.load(file, heads=3)


@pytest.mark.parametrize("release", ["0.20", "1.26"])
def test_a_patch_that_is_taken_for_a_square_is_an_assumption(tmp_path: Path, release: str) -> None:
    said = SHAPES["square"] | {"pool": "cls"}
    tensors = tensors_of(RELEASES[release], said)
    model = vitreous.load(written(tmp_path, tensors, {"heads": 3}))
    assert "assumed patches of 4x4 pixels, 3 channels" in model.passport.assumptions


def test_other_poolings_say_no_to_families_that_lack_them(tmp_path: Path) -> None:
    said = SHAPES["oblong"] | {"pool": "mean"}
    model = vitreous.load(written(tmp_path, tensors_of(RELEASES["1.6"], said), said))
    for family in ("timm", "huggingface", "torchvision", "google", "openai", "facebook"):
        with pytest.raises(UserError, match="cannot say"):
            convert(model, tmp_path / family, family)
