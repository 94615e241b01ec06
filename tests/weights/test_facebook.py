import argparse
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import vitreous
from vitreous.errors import UserError
from vitreous.weights.convert import convert

GELU = {"activation": "gelu"}
HEADLESS = GELU | {"num_classes": 0}


@pytest.fixture
def tensors(make, write):
    """The tensors of a model in timm's names."""
    return lambda **fields: load_file(write(make(**fields), "timm"))


def save(tmp_path: Path, content: object) -> Path:
    torch.save(content, tmp_path / "model.pth")
    return tmp_path / "model.pth"


def same_weights(model, tensors) -> bool:
    return torch.equal(model.encoder.norm.weight, tensors["norm.weight"])


def test_a_flat_dino(tmp_path: Path, tensors) -> None:
    passport = vitreous.load(save(tmp_path, tensors(**HEADLESS))).passport
    assert (passport.origin["family"], passport.origin["layout"]) == ("facebook", "DINO")
    assert passport.architecture.resample == "dinov2"
    assert passport.preprocessing.mean == (0.485, 0.456, 0.406)
    assert passport.preprocessing.crop_fraction == 0.875
    assert any("imagenet" in assumption for assumption in passport.assumptions)


def test_a_flat_classifier_stays_timms(tmp_path: Path, tensors) -> None:
    passport = vitreous.load(save(tmp_path, tensors(**GELU))).passport
    assert (passport.origin["family"], passport.preprocessing.mean) == ("timm", (0.5, 0.5, 0.5))


@pytest.mark.parametrize("which", ["teacher", "student"])
def test_a_whole_dino_checkpoint(tmp_path: Path, tensors, caplog, which: str) -> None:
    own = tensors(**HEADLESS)
    head = {"head.mlp.0.weight": torch.ones(2, 2), "head.last_layer.weight_g": torch.ones(2, 1)}
    teacher = {f"backbone.{name}": tensor for name, tensor in own.items()} | head
    student = {f"module.{name}": tensor * 2 for name, tensor in teacher.items()}
    if which == "teacher":
        content = {"student": student, "teacher": teacher, "args": argparse.Namespace(arch="s")}
    else:
        content = {"student": {f"module.{n}": t for n, t in teacher.items()}, "epoch": 9}
    model = vitreous.load(save(tmp_path, content))
    assert same_weights(model, own)
    assert "left out the head of pretraining (2 tensors)" in model.passport.assumptions
    assert "left out the head of pretraining (2 tensors)" in caplog.text


def test_a_pretrained_mae(tmp_path: Path, tensors) -> None:
    own = tensors(**HEADLESS)
    decoder = {
        "mask_token": torch.ones(1, 1, 8),
        "decoder_pos_embed": torch.ones(1, 17, 8),
        "decoder_embed.weight": torch.ones(8, 64),
        "decoder_blocks.0.norm1.weight": torch.ones(8),
    }
    content = {"model": own | decoder, "epoch": 800, "args": argparse.Namespace(mask_ratio=0.75)}
    model = vitreous.load(save(tmp_path, content))
    assert same_weights(model, own)
    assert model.passport.origin["layout"] == "DeiT, MAE"
    assert model.config.resample == "huggingface"
    assert {
        "left out the decoder of pretraining (3 tensors)",
        "left out the mask token of pretraining (1 tensor)",
    } <= set(model.passport.assumptions)


def test_a_fine_tuned_mae_pools_by_the_mean(tmp_path: Path, tensors) -> None:
    own = tensors(pooling="mean", final_norm="pooled", **GELU)
    config = vitreous.load(save(tmp_path, {"model": own})).config
    assert (config.pooling, config.final_norm) == ("mean", "pooled")


def test_a_distilled_deit_has_two_heads(tmp_path: Path, tensors) -> None:
    own = tensors(pooling="distilled", registers=1, **GELU)
    assert own["dist_token"].shape == (1, 1, 64)
    model = vitreous.load(save(tmp_path, {"model": own}))
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        token, distillation = model.embed(images).chunk(2, 1)
        first = token @ own["head.weight"].T + own["head.bias"]
        second = distillation @ own["head_dist.weight"].T + own["head_dist.bias"]
        torch.testing.assert_close(model(images), (first + second) / 2)


def test_dinov2_comes_back(tmp_path: Path, make) -> None:
    fields = {"registers": 4, "register_positions": False, "layer_scale": 1.0, "num_classes": 0}
    model = make(activation="swiglu", resample="timm", **fields)
    proof = convert(model, tmp_path / "dinov2.safetensors", "facebook")
    assert proof.layout == "DINOv2"
    tensors = load_file(proof.file)
    assert tensors["blocks.1.mlp.w12.weight"].shape == (192, 64)
    assert not tensors["mask_token"].any()
    assert vitreous.load(proof.file).config.registers == 4


def test_dinov2_of_518_pixels_is_evaluated_at_224(tmp_path: Path, make, write) -> None:
    fields = {"layer_scale": 1.0, "num_classes": 0, "activation": "gelu"}
    model = make(image_size=518, patch=14, depth=1, **fields)
    loaded = vitreous.load(write(model, "facebook", "DINOv2"))
    assert loaded.config.image_size == (518, 518)
    assert loaded.passport.preprocessing.size == (224, 224)
    assert loaded(torch.randn(1, 3, 224, 224)).shape == (1, 64)


def test_a_head_of_several_layers_is_refused(tmp_path: Path, make, write) -> None:
    fields = {"layer_scale": 1.0, "num_classes": 5, "pooling": "token_mean", "activation": "gelu"}

    def four_layers(tensors):
        return tensors | {"linear_head.weight": torch.ones(5, 5 * 64)}

    file = write(make(**fields), "facebook", "DINOv2", change=four_layers)
    with pytest.raises(UserError, match="number of inputs of the head 128, its tensors say 320"):
        vitreous.load(file)


def test_two_tensors_of_one_name_are_told_apart_or_refused(tmp_path: Path, tensors) -> None:
    own = tensors(**HEADLESS)
    both = own | {f"backbone.{name}": tensor for name, tensor in own.items()}
    with pytest.raises(UserError, match="no place for"):
        vitreous.load(save(tmp_path, both))


def test_a_safetensors_of_timms_names_is_timms(tmp_path: Path, tensors) -> None:
    save_file(tensors(**HEADLESS), tmp_path / "x.safetensors")
    assert vitreous.load(tmp_path / "x.safetensors").passport.origin["family"] == "timm"
