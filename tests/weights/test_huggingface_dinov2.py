import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import vitreous
from vitreous.errors import UserError
from vitreous.weights.convert import convert

# As facebook/dinov2-base and its fine-tuned relatives publish them, but for the sizes.
PUBLISHED = {
    "architectures": ["Dinov2Model"],
    "hidden_act": "gelu",
    "hidden_size": 64,
    "image_size": 518,
    "layer_norm_eps": 1e-06,
    "layerscale_value": 1.0,
    "mlp_ratio": 4,
    "model_type": "dinov2",
    "num_attention_heads": 1,
    "num_channels": 3,
    "num_hidden_layers": 2,
    "patch_size": 14,
    "qkv_bias": True,
    "use_swiglu_ffn": False,
}
PROCESSOR = {
    "crop_size": {"height": 224, "width": 224},
    "do_center_crop": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_processor_type": "BitImageProcessor",
    "image_std": [0.229, 0.224, 0.225],
    "resample": 3,
    "size": {"shortest_edge": 256},
}
FIELDS = {"layer_scale": 1.0, "activation": "gelu", "num_classes": 0, "mlp_width": 256}
PUBLISHED_SIZE = {"image_size": 518, "patch": 14}
SWIGLU = {"activation": "swiglu", "mlp_width": 176}  # as a ratio of 4 makes it
REGISTERS = {"registers": 4, "register_positions": False}
CLASSIFIER = {"num_classes": 5, "pooling": "token_mean"}


@pytest.fixture
def folder(make, write, tmp_path: Path) -> Path:
    """A model as the hub has it."""
    file = write(make(**FIELDS, **PUBLISHED_SIZE), "huggingface", "DINOv2, version 4, bare")
    (tmp_path / "hub").mkdir()
    file.rename(tmp_path / "hub" / "model.safetensors")
    (tmp_path / "hub" / "config.json").write_text(json.dumps(PUBLISHED))
    (tmp_path / "hub" / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return tmp_path / "hub"


def test_a_published_folder(folder: Path) -> None:
    model = vitreous.load(folder)
    assert model.config.image_size == (518, 518)
    rule = model.passport.preprocessing
    assert (rule.size, rule.fit, rule.crop_fraction) == ((224, 224), "crop", 0.875)
    assert (rule.interpolation, rule.mean) == ("bicubic", (0.485, 0.456, 0.406))
    assert not any("assumed" in line for line in model.passport.assumptions)
    assert "left out the mask token of pretraining (1 tensor)" in model.passport.assumptions
    vitreous.save(model, folder / "ours.safetensors")  # its canary is made at 224 pixels
    assert vitreous.load(folder / "ours.safetensors").passport.preprocessing == rule


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("hidden_size", 65, "hidden_size 65, its tensors say 64"),
        ("num_hidden_layers", 12, "num_hidden_layers 12"),
        ("image_size", 224, "images of 224x224"),
        ("patch_size", 16, "patch_size"),
        ("num_register_tokens", 4, "num_register_tokens 4, its tensors say 0"),
        ("hidden_act", "silu", "activation 'silu'"),
    ],
)
def test_a_lying_config_is_refused(folder: Path, field: str, value: object, complaint: str) -> None:
    (folder / "config.json").write_text(json.dumps(PUBLISHED | {field: value}))
    with pytest.raises(UserError, match=complaint):
        vitreous.load(folder)


@pytest.mark.parametrize(
    ("changes", "prefix"),
    [
        ({}, ""),
        (SWIGLU, ""),
        (REGISTERS, ""),
        (CLASSIFIER, "dinov2."),
        (CLASSIFIER | REGISTERS | SWIGLU, "dinov2_with_registers."),
        ({"qkv_bias": False}, ""),
    ],
)
def test_every_kind_comes_back(make, tmp_path: Path, changes: dict, prefix: str) -> None:
    model = make(**FIELDS | changes)
    proof = convert(model, tmp_path / "out", "huggingface")
    assert proof.difference == 0
    tensors = load_file(proof.file)
    assert f"{prefix}embeddings.mask_token" in tensors
    again = vitreous.load(tmp_path / "out").config
    for field in changes:
        assert getattr(again, field) == getattr(model.config, field)


def test_version_5_has_the_gate_apart(make, write) -> None:
    model = make(**FIELDS | SWIGLU)
    file = write(model, "huggingface", "DINOv2, version 5, bare")
    assert load_file(file)["encoder.layer.0.mlp.up_proj.weight"].shape == (176, 64)
    again = vitreous.load(file)
    assert again.config.mlp_width == 176
    assert torch.equal(
        again.encoder.blocks[1].mlp.expand.weight, model.encoder.blocks[1].mlp.expand.weight
    )


def test_without_a_mask_token(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["embeddings.mask_token"]
    save_file(tensors, folder / "model.safetensors")
    assert "left_out" not in vitreous.load(folder).passport.origin


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"mlp_width": 100}, "cannot say"),
        ({"registers": 4}, "cannot say"),
        ({"layer_scale": 1.0, "final_norm": "pooled"}, "cannot say"),
    ],
)
def test_what_cannot_be_said(make, tmp_path: Path, changes: dict, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        convert(make(**FIELDS | changes), tmp_path / "out", "huggingface")
