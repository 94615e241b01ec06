"""timm's Vision Transformer of 2020 to 2022, with a tanh layer before the head.

The forward is written from the tensors' names alone, as timm 1.0 has this layer no more.
"""

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

import vitreous
from vitreous.errors import UserError
from vitreous.weights.convert import convert

D, HEADS, DEPTH, P = 128, 2, 2, 8
Tensors = dict[str, Tensor]


def drawn(classes: int, between: int = D) -> Tensors:
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, D),
        "pos_embed": (1, 17, D),
        "patch_embed.proj.weight": (D, 3, P, P),
        "patch_embed.proj.bias": (D,),
        "norm.weight": (D,),
        "norm.bias": (D,),
        "pre_logits.fc.weight": (between, D),
        "pre_logits.fc.bias": (between,),
    }
    if classes:
        shapes |= {"head.weight": (classes, between), "head.bias": (classes,)}
    for i in range(DEPTH):
        linears = {"attn.qkv": (3 * D, D), "attn.proj": (D, D)}
        linears |= {"mlp.fc1": (96, D), "mlp.fc2": (D, 96)}
        for name, shape in linears.items():
            shapes |= {f"blocks.{i}.{name}.{part}": shape for part in ("weight",)}
            shapes[f"blocks.{i}.{name}.bias"] = shape[:1]
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            shapes[f"blocks.{i}.{name}"] = (D,)
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(s, generator=generator) * 0.2 for name, s in shapes.items()}


def forward(t: Tensors, x: Tensor) -> Tensor:
    def linear(name: str, y: Tensor) -> Tensor:
        return F.linear(y, t[f"{name}.weight"], t[f"{name}.bias"])

    def norm(name: str, y: Tensor) -> Tensor:
        return F.layer_norm(y, (D,), t[f"{name}.weight"], t[f"{name}.bias"], 1e-6)

    x = F.conv2d(x, t["patch_embed.proj.weight"], t["patch_embed.proj.bias"], stride=P)
    x = torch.cat([t["cls_token"].expand(len(x), -1, -1), x.flatten(2).mT], 1) + t["pos_embed"]
    for i in range(DEPTH):
        at = f"blocks.{i}"
        packed = linear(f"{at}.attn.qkv", norm(f"{at}.norm1", x)).unflatten(2, (3, HEADS, -1))
        q, k, v = packed.permute(2, 0, 3, 1, 4)
        weights = (q @ k.mT / (D // HEADS) ** 0.5).softmax(-1)
        x = x + linear(f"{at}.attn.proj", (weights @ v).transpose(1, 2).flatten(2))
        x = x + linear(f"{at}.mlp.fc2", F.gelu(linear(f"{at}.mlp.fc1", norm(f"{at}.norm2", x))))
    x = torch.tanh(linear("pre_logits.fc", norm("norm", x)[:, 0]))
    return linear("head", x) if "head.weight" in t else x


@pytest.mark.parametrize(
    ("wrapper", "classes", "between"),
    [
        (None, 21_843, D),
        ("model", 5, D),
        ("model", 0, D),
        ("state_dict", 5, 40),
        ("model_state_dict", 5, D),
        ("module.", 0, 40),
        ("module.", 5, D),
    ],
)
def test_gives_its_own_logits_however_a_trainer_wraps_it(
    tmp_path: Path, wrapper: str | None, classes: int, between: int
) -> None:
    tensors = drawn(classes, between)
    content: object = tensors
    if wrapper == "module.":
        content = {"state_dict": {f"module.{name}": t for name, t in tensors.items()}, "epoch": 3}
    elif wrapper is not None:
        content = {wrapper: tensors, "epoch": 3}
    torch.save(content, tmp_path / "jx_vit.pth")
    model = vitreous.load(tmp_path / "jx_vit.pth")
    assert model.passport.origin["family"] == "timm"
    assert model.passport.preprocessing.mean == (0.5, 0.5, 0.5)
    assert any("mean 0.5" in words for words in model.passport.assumptions)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    expected = forward(tensors, images)
    with torch.inference_mode():
        assert (model(images) - expected).abs().max() <= 2e-5 * expected.abs().max()


def test_comes_back_bit_equal_from_its_own_layout(tmp_path: Path) -> None:
    tensors = drawn(7)
    save_file(tensors, tmp_path / "x.safetensors")
    proof = convert(vitreous.load(tmp_path / "x.safetensors"), tmp_path / "out", "timm")
    assert (proof.layout, proof.difference) == ("2020 to 2022", 0)
    again = load_file(tmp_path / "out" / "model.safetensors")
    assert set(again) == set(tensors)
    assert all(torch.equal(again[name], tensors[name]) for name in tensors)


def test_is_refused_by_families_without_the_layer(tmp_path: Path) -> None:
    save_file(drawn(7), tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="huggingface cannot say pre_logits 128"):
        convert(vitreous.load(tmp_path / "x.safetensors"), tmp_path / "out", "huggingface")


def test_a_new_head_takes_the_layers_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_file(drawn(7), tmp_path / "x.safetensors")
    with caplog.at_level(logging.WARNING, "vitreous"):
        model = vitreous.load(tmp_path / "x.safetensors", num_classes=3)
    assert (model.config.num_classes, model.config.pre_logits) == (3, None)
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
