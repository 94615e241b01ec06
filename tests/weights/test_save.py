import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.vit import VisionTransformer
from vitreous.weights import save as module
from vitreous.weights.load import load, read_passport
from vitreous.weights.passport import passport_of
from vitreous.weights.save import save

Trained = Callable[..., VisionTransformer]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    saved: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(UserError, match=f"cannot write {saved}: no space left on the disk: free"):
        save(trained(depth=1), saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_safetensors_own_words_for_a_full_disk(
    saved: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        words = 'Error while serializing: I/O error: Os { message: "No space left on device" }'
        raise SafetensorError(words)

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(UserError, match="no space left on the disk"):
        save(trained(), saved)
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_model_is_as_readable_as_any_file_of_the_user(
    trained: Trained, tmp_path: Path, mask: int
) -> None:
    before = os.umask(mask)
    try:
        save(trained(), tmp_path / "m.safetensors")
    finally:
        os.umask(before)
    assert (tmp_path / "m.safetensors").stat().st_mode & 0o777 == 0o666 & ~mask


def test_folders_are_made(trained: Trained, tmp_path: Path) -> None:
    save(trained(), str(tmp_path / "a" / "b" / "m.safetensors"))
    assert load(tmp_path / "a" / "b" / "m.safetensors").config.num_classes == 3


def test_the_passport_tells_the_model_as_it_is(trained: Trained, tmp_path: Path) -> None:
    model = trained()
    given = replace(passport_of(model), licence="CC0-1.0", canary=(9.0, 9.0, 9.0))
    save(model, tmp_path / "m.safetensors", given)
    written = read_passport(tmp_path / "m.safetensors")
    assert written.licence == "CC0-1.0"
    assert written.canary != given.canary
    with pytest.raises(UserError, match="names 3 classes and the head has 4"):
        save(trained(num_classes=4), tmp_path / "n.safetensors", given)


def test_a_model_that_was_only_created(tmp_path: Path) -> None:
    save(create_model("Ti/16", image_size=32, depth=1, num_classes=2), tmp_path / "m.safetensors")
    passport = passport_of(load(tmp_path / "m.safetensors"))
    assert passport.class_names == ("0", "1")
    assert passport.preprocessing.mean == (0.5, 0.5, 0.5)
    assert passport.preprocessing.size == (32, 32)


def test_training_mode_and_randomness_are_left_alone(trained: Trained, tmp_path: Path) -> None:
    model = trained(dropout=0.5).train()
    model.encoder.eval()  # frozen
    torch.manual_seed(0)
    save(model, tmp_path / "m.safetensors")
    drawn = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(1))
    assert model.training
    assert not model.encoder.blocks[0].training


@pytest.mark.parametrize("name", ["naïve ☃", "line\nbreak", 'quote"', "\udce9 (no UTF-8)"])
def test_any_class_name_comes_back(trained: Trained, tmp_path: Path, name: str) -> None:
    model = trained()
    model.passport = replace(passport_of(model), class_names=(name, "b", "c"))
    save(model, tmp_path / "m.safetensors")
    assert passport_of(load(tmp_path / "m.safetensors")).class_names[0] == name


def test_what_was_assumed_is_kept_and_read_back(make, write, tmp_path: Path) -> None:
    model = load(write(make(activation="gelu"), "timm"))
    assert model.passport.assumptions
    save(model, tmp_path / "ours.safetensors")
    again = load(tmp_path / "ours.safetensors").passport
    assert again.assumptions == model.passport.assumptions
    assert again.class_order == "unknown"
    assert load(tmp_path / "ours.safetensors", class_order="text").passport.class_order == "text"
    named = load(tmp_path / "ours.safetensors", class_names=tuple("abcde")).passport
    assert named.class_order == "named"
    assert not any("class names" in line for line in named.assumptions)
    with pytest.raises(UserError, match="has a passport.*leave activation='relu' out"):
        load(tmp_path / "ours.safetensors", activation="relu")


def test_a_model_of_ones_own_has_no_assumptions(saved: Path) -> None:
    assert load(saved).passport.assumptions == ()
