import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import vitreous
from vitreous.errors import UserError

GELU = {"activation": "gelu"}
CLIP = {"embedding_norm": True, "patch_bias": False, "norm_eps": 1e-5, **GELU}


def named(file: Path, name: str, **model_args: object) -> Path:
    said = {"architecture": name, "model_args": {"num_heads": 1, **model_args}}
    file.with_suffix(".config.json").write_text(json.dumps(said))
    return file


def test_a_config_that_names_another_architecture_is_refused(make, write) -> None:
    file = named(write(make(**GELU), "timm"), "vit_base_patch16_rope_ape_224")
    with pytest.raises(UserError, match="vit_base_patch16_rope_ape_224.*rotary"):
        vitreous.load(file)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("qk_norm", True),
        ("pool_include_prefix", True),
        ("final_norm", False),
        ("norm_layer", "rmsnorm"),
        ("attn_layer", "diff"),
        ("something_new", 3),
    ],
)
def test_arguments_that_make_another_model_are_refused(make, write, argument, value) -> None:
    file = named(write(make(**GELU), "timm"), "vit_base_patch16_224", **{argument: value})
    with pytest.raises(UserError, match=f"says {argument} "):
        vitreous.load(file)


def test_a_norm_in_front_and_attention_pooling_is_asked_about(make, write) -> None:
    file = write(make(pooling="map", class_token=False, **CLIP), "timm")
    with pytest.raises(UserError, match="Perception Encoder.*CLIP.*architecture="):
        vitreous.load(file)
    clip = vitreous.load(file, architecture="vit_base_patch16_clip_224")
    assert clip.config.pooling == "map"
    with pytest.raises(UserError, match="rotary positions: not read"):
        vitreous.load(file, architecture="vit_pe_core_base_patch16_224")


def test_the_activation_of_a_clip_is_asked_for(make, write) -> None:
    file = write(make(**CLIP), "timm")
    with pytest.raises(UserError, match="activation='quick_gelu' or activation='gelu'"):
        vitreous.load(file)
    quick = vitreous.load(file, activation="quick_gelu")
    assert (quick.config.activation, quick.config.norm_eps) == ("quick_gelu", 1e-5)
    assert quick.passport.preprocessing.mean[0] == 0.48145466
    assert vitreous.load(named(file, "vit_base_patch16_clip_224")).config.activation == "gelu"
    with pytest.raises(UserError, match="activation is gelu there, and activation='relu'"):
        vitreous.load(file, activation="relu")


def test_norms_behind_attention_are_asked_about(make, write) -> None:
    file = write(
        make(class_token=False, pooling="mean", final_norm="pooled", qkv_bias=False, **GELU), "timm"
    )
    with pytest.raises(UserError, match=r"norms behind.*vit_\*_rpn.*architecture="):
        vitreous.load(file)
    assert not vitreous.load(file, architecture="vit_base_patch16_gap_224").config.qkv_bias


def test_every_assumption_has_a_line_and_an_answer(make, write) -> None:
    file = write(make(**GELU), "timm")
    lines = vitreous.load(file).passport.assumptions
    for word in ("heads", "pooling", "activation", "epsilon", "normalisation", "class names"):
        assert sum(word in line for line in lines) == 1, word
    mean = vitreous.load(file, pooling="mean", normalisation="imagenet", activation="relu")
    assert (mean.config.pooling, mean.config.activation) == ("mean", "relu")
    assert mean.passport.preprocessing.mean[0] == 0.485
    assert not any("pooling" in line or "activation" in line for line in mean.passport.assumptions)
    said = {"architecture": "vit_base_patch16_224", "pretrained_cfg": {"mean": [0.1] * 3}}
    file.with_suffix(".config.json").write_text(json.dumps(said))
    with pytest.raises(UserError, match="normalisation is mean .* leave normalisation out"):
        vitreous.load(file, normalisation="imagenet")
    file.with_suffix(".config.json").unlink()
    with pytest.raises(UserError, match="normalisation 'own' is not known: choose half, imagenet"):
        vitreous.load(file, normalisation="own")


def gammas(file: Path) -> dict[str, torch.Tensor]:
    return {
        name.replace("ls1.gamma", "gamma_1").replace("ls2.gamma", "gamma_2"): tensor
        for name, tensor in load_file(file).items()
    }


def test_deit_three_as_facebook_saved_it(make, write, tmp_path: Path) -> None:
    model = make(layer_scale=1e-6, prefix_positions=False, **GELU)
    tensors = gammas(write(model, "timm"))
    torch.save({"model": tensors}, tmp_path / "deit_3.pth")
    ours = vitreous.load(tmp_path / "deit_3.pth")
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), model(images))
    assert any("rope-vit" in line for line in ours.passport.assumptions)
    bare = tmp_path / "bare.safetensors"
    save_file(tensors, bare)
    with pytest.raises(UserError, match=r"rotary positions.*DeiT III.*architecture="):
        vitreous.load(bare)
    again = vitreous.load(bare, architecture="deit3_small_patch16_224")
    with torch.inference_mode():
        torch.testing.assert_close(again(images), model(images))


def test_transformers_wrapper_of_a_timm_model(make, write, tmp_path: Path) -> None:
    tensors = load_file(write(make(**GELU), "timm"))
    save_file({f"timm_model.{name}": t for name, t in tensors.items()}, tmp_path / "x.safetensors")
    said = {
        "model_type": "timm_wrapper",
        "architecture": "vit_tiny_patch16_224",
        "model_args": {"num_heads": 1},
        "id2label": {str(label): name for label, name in enumerate("abcde")},
        "problem_type": "multi_label_classification",
    }
    (tmp_path / "x.config.json").write_text(json.dumps(said))
    passport = vitreous.load(tmp_path / "x.safetensors").passport
    assert passport.class_names == tuple("abcde")
    assert passport.multi_label
    (tmp_path / "x.config.json").write_text(json.dumps(said | {"architecture": "beit_base"}))
    with pytest.raises(UserError, match="architecture beit_base, which is a BEiT"):
        vitreous.load(tmp_path / "x.safetensors")
