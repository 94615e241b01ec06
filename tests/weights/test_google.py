import re
from pathlib import Path

import numpy as np
import pytest
import torch

import vitreous
from vitreous.errors import UserError


def renamed(golden: Path, out: Path, *pairs: tuple[str, str], add: str = "") -> Path:
    with np.load(golden / "google_vit_token.npz") as archive:
        arrays = {}
        for name in archive.files:
            new = name
            for old, to in pairs:
                new = re.sub(old, to, new)
            arrays[add + new] = archive[name]
    np.savez(out, **arrays)
    return out


def test_newer_saves_count_each_class_from_zero(golden: Path, tmp_path: Path) -> None:
    file = renamed(
        golden,
        tmp_path / "newer.npz",
        ("MultiHeadDotProductAttention_1", "MultiHeadDotProductAttention_0"),
        ("LayerNorm_2", "LayerNorm_1"),
        ("MlpBlock_3", "MlpBlock_0"),
    )
    model, released = vitreous.load(file), vitreous.load(golden / "google_vit_token.npz")
    assert model.passport.origin["layout"] == "newer"
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(model(images), released(images))


def test_what_the_tensors_say(golden: Path) -> None:
    model = vitreous.load(golden / "google_vit_token_representation.npz")
    config, rule = model.config, model.passport.preprocessing
    assert (config.heads, config.head_dim, config.depth, config.patch) == (3, 16, 3, 8)
    assert (config.pre_logits, config.num_classes, config.image_size) == (40, 10, (32, 32))
    assert (config.activation, config.norm_eps, config.resample) == ("gelu_tanh", 1e-6, "google")
    assert (rule.mean, rule.std, rule.fit) == ((0.5,) * 3, (0.5,) * 3, "squash")
    assert model.passport.class_names == tuple("0123456789")
    assert len(model.passport.origin["sha256"]) == 64


def test_big_vision_adds_positions_before_the_class_token(make, write) -> None:
    model = make(prefix_positions=False)
    again = vitreous.load(write(model, "big_vision"))
    assert again.passport.origin["family"] == "big_vision"
    assert tuple(again.position.table.shape) == (16, 64)
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        assert torch.equal(again(images), model(images))


def test_without_a_head_it_gives_features(make, write) -> None:
    model = vitreous.load(write(make(num_classes=0), "google", "released"))
    assert model.config.num_classes == 0
    assert model.passport.class_names == ()
    assert model(torch.randn(1, 3, 16, 16)).shape == (1, 64)


def test_a_hybrids_stages_are_counted(golden: Path, tmp_path: Path) -> None:
    config = vitreous.load(golden / "google_hybrid_two_stages.npz").config
    assert (config.stem, config.patch, config.image_size) == ((1, 1), 8, (64, 64))
    assert vitreous.load(golden / "google_hybrid_stem.npz").config.stem == ()


def test_a_hybrid_with_a_gap_is_refused(golden: Path, tmp_path: Path) -> None:
    with np.load(golden / "google_hybrid_two_stages.npz") as archive:
        arrays = {name.replace("block2/unit1", "block3/unit1"): archive[name] for name in archive}
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(UserError, match="block2/unit1"):
        vitreous.load(tmp_path / "x.npz")


def test_a_missing_layer_is_named(make, write) -> None:
    def without_first_block(tensors):
        return {name.replace("block_1", "block_2"): t for name, t in tensors.items()}

    file = write(make(), "google", "released", without_first_block)
    with pytest.raises(UserError, match="lacks layer 1 of the encoder"):
        vitreous.load(file)
