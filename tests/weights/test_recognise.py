from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import vitreous
from vitreous.errors import UserError
from vitreous.model.config import ViTConfig
from vitreous.weights.recognise import FAMILIES, family_to_write


def test_no_layouts_signature_is_anothers() -> None:
    for family in FAMILIES:
        config = family.architecture(**({"depth": 1} if family.architecture is ViTConfig else {}))
        names = {name for rule in family.rules(config) for name in rule.names}
        names |= set(family.signature)
        assert [f for f in FAMILIES if f.recognises(names)][0] is family


def test_an_unknown_family_says_what_was_found_and_what_is_nearest(tmp_path: Path) -> None:
    tensors = {"patch_embed.proj.weight": torch.ones(4, 3, 2, 2), "blocks.0.norm1.weight": ones()}
    save_file(tensors | {"gate.weight": ones()}, tmp_path / "x.safetensors")
    with pytest.raises(UserError) as caught:
        vitreous.load(tmp_path / "x.safetensors")
    message = str(caught.value)
    assert "3 tensors" in message
    assert "nearest is timm (67% of the names), but pos_embed is missing" in message
    assert "\n" not in message


def test_nothing_like_any_family(tmp_path: Path) -> None:
    save_file({"conv1.gate": ones()}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="nothing like any of google, big_vision, timm"):
        vitreous.load(tmp_path / "x.safetensors")


def test_the_layout_to_write_is_the_origins() -> None:
    config = ViTConfig(activation="gelu")
    assert family_to_write("huggingface", config, {}).layout == "version 4"
    origin = {"family": "huggingface", "layout": "version 5"}
    assert family_to_write("huggingface", config, origin).layout == "version 5"
    with pytest.raises(UserError, match="unknown family 'keras': choose vitreous, google"):
        family_to_write("keras", config, {})


@pytest.mark.parametrize(
    ("family", "field", "value"),
    [
        ("google", "activation", "gelu"),
        ("google", "registers", 2),
        ("google", "layer_scale", 1e-5),
        ("google", "qkv_bias", False),
        ("google", "patch_norms", True),
        ("google", "final_norm", "pooled"),
        ("google", "pooling", "mean"),
        ("big_vision", "prefix_positions", True),
        ("timm", "pre_logits", 8),
        ("timm", "patch_norms", True),
        ("timm", "head_width", 32),
        ("huggingface", "registers", 4),
        ("huggingface", "pre_logits", 8),
        ("huggingface", "layer_scale", 1e-5),
        ("huggingface", "head_width", 32),
        ("torchvision", "activation", "gelu_tanh"),
        ("torchvision", "image_size", (224, 160)),
        ("torchvision", "qkv_bias", False),
        ("lucidrains", "qkv_bias", True),
        ("lucidrains", "pre_logits", 8),
    ],
)
def test_what_a_layout_cannot_say_is_named(family: str, field: str, value: object) -> None:
    fits = {
        "google": {},
        "big_vision": {"prefix_positions": False},
        "timm": {},
        "huggingface": {},
        "torchvision": {"activation": "gelu"},
        "lucidrains": {"qkv_bias": False, "patch_norms": True, "activation": "gelu"},
    }[family]
    assert family_to_write(family, ViTConfig(**fits), {}).name == family
    with pytest.raises(UserError, match=f"{family} cannot say {field}"):
        family_to_write(family, ViTConfig(**fits | {field: value}), {})


def ones() -> torch.Tensor:
    return torch.ones(2)
