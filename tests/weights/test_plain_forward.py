"""Families whose own code is not at hand, against a plain forward written from their names alone.

One block is a few lines of functional calls on the checkpoint's own tensors; nothing of the package
takes part in it.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import vitreous

TOLERANCE = 2e-5
D, HEADS, DEPTH, P = 128, 2, 2, 4
Tensors = dict[str, Tensor]


def draw(**shapes: tuple[int, ...]) -> Tensors:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(s, generator=generator) * 0.1 for name, s in shapes.items()}


def images(height: int, width: int) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(3))


def softmax_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Of (B, k, S, d), heads joined."""
    weights = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def dinov2_tensors(swiglu: bool, registers: int, head: int) -> Tensors:
    shapes = {
        "cls_token": (1, 1, D),
        "pos_embed": (1, 17, D),
        "mask_token": (1, D),
        "patch_embed.proj.weight": (D, 3, P, P),
        "patch_embed.proj.bias": (D,),
        "norm.weight": (D,),
        "norm.bias": (D,),
    }
    if registers:
        shapes["register_tokens"] = (1, registers, D)
    if head:
        shapes |= {"linear_head.weight": (head, 2 * D), "linear_head.bias": (head,)}
    mlp = {"w12": (192, D), "w3": (D, 96)} if swiglu else {"fc1": (96, D), "fc2": (D, 96)}
    for i in range(DEPTH):
        linears = {"attn.qkv": (3 * D, D), "attn.proj": (D, D)}
        linears |= {f"mlp.{name}": shape for name, shape in mlp.items()}
        for name, shape in linears.items():
            shapes |= {f"blocks.{i}.{name}.weight": shape, f"blocks.{i}.{name}.bias": shape[:1]}
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "ls1.gamma"):
            shapes[f"blocks.{i}.{name}"] = (D,)
        shapes[f"blocks.{i}.ls2.gamma"] = (D,)
    return draw(**shapes)


def dinov2(t: Tensors, x: Tensor) -> Tensor:
    """facebookresearch/dinov2: offset 0.1 without registers; antialiasing and no offset with."""
    h, w = x.shape[2] // P, x.shape[3] // P
    x = F.conv2d(x, t["patch_embed.proj.weight"], t["patch_embed.proj.bias"], stride=P)
    x = x.flatten(2).transpose(1, 2)
    positions = t["pos_embed"][:, 1:].reshape(1, 4, 4, D).permute(0, 3, 1, 2)
    if (h, w) != (4, 4) and "register_tokens" in t:
        positions = F.interpolate(positions, size=(h, w), mode="bicubic", antialias=True)
    elif (h, w) != (4, 4):
        scale = ((h + 0.1) / 4, (w + 0.1) / 4)
        positions = F.interpolate(positions, scale_factor=scale, mode="bicubic")
    x = x + positions.flatten(2).transpose(1, 2)
    token = (t["cls_token"] + t["pos_embed"][:, :1]).expand(len(x), -1, -1)
    registers = t.get("register_tokens", torch.zeros(1, 0, D)).expand(len(x), -1, -1)
    x = torch.cat([token, registers, x], 1)

    def linear(name: str, y: Tensor) -> Tensor:
        return F.linear(y, t[f"{name}.weight"], t[f"{name}.bias"])

    def norm(name: str, y: Tensor) -> Tensor:
        return F.layer_norm(y, (D,), t[f"{name}.weight"], t[f"{name}.bias"], 1e-6)

    for i in range(DEPTH):
        block = f"blocks.{i}"
        qkv = linear(f"{block}.attn.qkv", norm(f"{block}.norm1", x))
        q, k, v = qkv.unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        y = linear(f"{block}.attn.proj", softmax_attention(q, k, v))
        x = x + y * t[f"{block}.ls1.gamma"]
        y = norm(f"{block}.norm2", x)
        if f"{block}.mlp.w12.weight" in t:
            gate, value = linear(f"{block}.mlp.w12", y).chunk(2, -1)
            y = linear(f"{block}.mlp.w3", F.silu(gate) * value)
        else:
            y = linear(f"{block}.mlp.fc2", F.gelu(linear(f"{block}.mlp.fc1", y)))
        x = x + y * t[f"{block}.ls2.gamma"]
    x = norm("norm", x)
    if "linear_head.weight" not in t:
        return x[:, 0]
    patches = x[:, 1 + registers.shape[1] :]
    return linear("linear_head", torch.cat([x[:, 0], patches.mean(1)], 1))


@pytest.mark.parametrize("head", [0, 5])
@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize("swiglu", [False, True])
def test_facebooks_dinov2(tmp_path: Path, swiglu: bool, registers: int, head: int) -> None:
    tensors = dinov2_tensors(swiglu, registers, head)
    saved = tensors
    if head:  # as the model with a linear head is saved
        saved = {n if "head" in n else f"backbone.{n}": t for n, t in tensors.items()}
    torch.save(saved, tmp_path / "dinov2.pth")
    model = vitreous.load(tmp_path / "dinov2.pth")
    assert "left out the mask token of pretraining (1 tensor)" in model.passport.assumptions
    with torch.inference_mode():
        for size in ((16, 16), (24, 36)):
            x = images(*size)
            assert (model(x) - dinov2(tensors, x)).abs().max() <= TOLERANCE


def big_vision_arrays() -> Tensors:
    """A SigLIP model's image tower, its layers stacked, and a bit of its text tower."""
    d = D // HEADS
    shapes: dict[str, tuple[int, ...]] = {
        "img/embedding/kernel": (P, P, 3, D),
        "img/embedding/bias": (D,),
        "img/pos_embedding": (1, 16, D),
        "img/Transformer/encoder_norm/scale": (D,),
        "img/Transformer/encoder_norm/bias": (D,),
        "img/MAPHead_0/probe": (1, 1, D),
        "txt/Encoder_0/encoderblock/LayerNorm_0/scale": (3, 8),
        "txt/head/kernel": (8, 8),
        "t": (1,),
        "b": (1,),
    }
    for root, stack in (("img/Transformer/encoderblock", (DEPTH,)), ("img/MAPHead_0", ())):
        attention = f"{root}/MultiHeadDotProductAttention_0"
        for name in ("query", "key", "value"):
            shapes[f"{attention}/{name}/kernel"] = (*stack, D, HEADS, d)
            shapes[f"{attention}/{name}/bias"] = (*stack, HEADS, d)
        shapes[f"{attention}/out/kernel"] = (*stack, HEADS, d, D)
        shapes[f"{attention}/out/bias"] = (*stack, D)
        for norm in ("LayerNorm_0", "LayerNorm_1") if stack else ("LayerNorm_0",):
            shapes |= {f"{root}/{norm}/{part}": (*stack, D) for part in ("scale", "bias")}
        shapes[f"{root}/MlpBlock_0/Dense_0/kernel"] = (*stack, D, 96)
        shapes[f"{root}/MlpBlock_0/Dense_0/bias"] = (*stack, 96)
        shapes[f"{root}/MlpBlock_0/Dense_1/kernel"] = (*stack, 96, D)
        shapes[f"{root}/MlpBlock_0/Dense_1/bias"] = (*stack, D)
    return draw(**{f"params/{name}": shape for name, shape in shapes.items()})


def big_vision(arrays: Tensors, x: Tensor) -> Tensor:
    """google-research/big_vision, models/vit.py, with pool_type map."""
    t = {n.removeprefix("params/img/"): a for n, a in arrays.items()}
    x = F.conv2d(x, t["embedding/kernel"].permute(3, 2, 0, 1), t["embedding/bias"], stride=P)
    x = x.flatten(2).transpose(1, 2) + t["pos_embedding"]

    def norm(name: str, y: Tensor, i: int | slice) -> Tensor:
        return F.layer_norm(y, (D,), t[f"{name}/scale"][i], t[f"{name}/bias"][i], 1e-6)

    def attend(name: str, y: Tensor, z: Tensor, i: int | slice) -> Tensor:
        name = f"{name}/MultiHeadDotProductAttention_0"
        q, k, v = (
            torch.einsum("bsD,Dkd->bksd", source, t[f"{name}/{part}/kernel"][i])
            + t[f"{name}/{part}/bias"][i][:, None]
            for part, source in (("query", y), ("key", z), ("value", z))
        )
        out = t[f"{name}/out/kernel"][i].flatten(0, 1)
        return softmax_attention(q, k, v) @ out + t[f"{name}/out/bias"][i]

    def mlp(name: str, y: Tensor, i: int | slice) -> Tensor:
        name = f"{name}/MlpBlock_0/Dense"
        y = y @ t[f"{name}_0/kernel"][i] + t[f"{name}_0/bias"][i]
        return F.gelu(y, approximate="tanh") @ t[f"{name}_1/kernel"][i] + t[f"{name}_1/bias"][i]

    block = "Transformer/encoderblock"
    for i in range(DEPTH):
        y = norm(f"{block}/LayerNorm_0", x, i)
        x = x + attend(block, y, y, i)
        x = x + mlp(block, norm(f"{block}/LayerNorm_1", x, i), i)
    x, whole = norm("Transformer/encoder_norm", x, slice(None)), slice(None)
    y = attend("MAPHead_0", t["MAPHead_0/probe"].expand(len(x), -1, -1), x, whole)
    return (y + mlp("MAPHead_0", norm("MAPHead_0/LayerNorm_0", y, whole), whole))[:, 0]


@pytest.mark.parametrize("compressed", [False, True])
def test_big_visions_stacked_siglip(tmp_path: Path, compressed: bool) -> None:
    arrays = big_vision_arrays()
    write = np.savez_compressed if compressed else np.savez
    write(tmp_path / "siglip.npz", **{name: array.numpy() for name, array in arrays.items()})
    model = vitreous.load(tmp_path / "siglip.npz")
    assert model.config.pooling == "map"
    assert model.passport.origin["family"] == "big_vision"
    assert "left out the text tower (6 tensors)" in model.passport.assumptions
    x = images(16, 16)
    with torch.inference_mode():
        assert (model(x) - big_vision(arrays, x)).abs().max() <= TOLERANCE
