import argparse
import datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from vitreous.errors import UserError
from vitreous.weights.pickled import is_averaged, read_pickled
from vitreous.weights.read import open_checkpoint, weights_file

STATE = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2)}
OTHER = {name: tensor + 1 for name, tensor in STATE.items()}


def read(tmp_path: Path, content: object, *, zipped: bool = True, wrapper: str | None = None):
    file = tmp_path / "x.pth"
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return read_pickled(file, mapped=zipped, wrapper=wrapper)


@pytest.mark.parametrize("zipped", [True, False])
def test_plain_records_beside_the_weights_are_no_code(tmp_path: Path, zipped: bool) -> None:
    beside = {
        "best_acc": np.float64(0.5),
        "epoch": np.int64(3),
        "random": np.random.default_rng(0).normal(size=4),
        "when": datetime.datetime(2024, 1, 2),
        "where": Path("runs"),
        "args": argparse.Namespace(lr=0.1),
    }
    found = read(tmp_path, {"state_dict": STATE} | beside, zipped=zipped)
    assert torch.equal(found.tensors["a.weight"], STATE["a.weight"])
    assert (found.wrapper, found.chosen) == ("state_dict", ())


@pytest.mark.parametrize(
    "name", ["state_dict_ema", "model_ema", "ema", "ema_state_dict", "averaged_model", "modelEma"]
)
def test_averaged_weights_are_passed_over_aloud(tmp_path: Path, name: str) -> None:
    content = {"state_dict": STATE, name: OTHER, "optimizer": {"state": {0: STATE}}}
    found = read(tmp_path, content)
    assert torch.equal(found.tensors["a.bias"], STATE["a.bias"])
    (line,) = found.chosen
    assert "averaged weights" in line
    assert f"wrapper={name!r}" in line
    averaged = read(tmp_path, content, wrapper=name)
    assert torch.equal(averaged.tensors["a.bias"], OTHER["a.bias"])
    assert averaged.chosen == ()


def test_words_that_only_hold_those_letters_are_not_averaged() -> None:
    assert not any(map(is_averaged, ("schema", "remarks", "demand", "swallow", "model.")))


def test_two_models_are_asked_about(tmp_path: Path) -> None:
    content = {"encoder": STATE, "target": OTHER, "predictor": OTHER}
    with pytest.raises(UserError, match="'encoder', 'predictor', 'target'.*wrapper='encoder'"):
        read(tmp_path, content)
    assert read(tmp_path, content, wrapper="predictor").wrapper == "predictor"
    assert read(tmp_path, {"encoder": STATE, "target": OTHER}).wrapper == "encoder"


def test_wrappings_in_wrappings(tmp_path: Path) -> None:
    content = {"checkpoint": {"model": {"state_dict": STATE}, "step": 3}, "seed": 1}
    assert set(read(tmp_path, content).tensors) == set(STATE)


def test_numbers_among_the_weights_are_no_weights(tmp_path: Path) -> None:
    flat = {**STATE, "epoch": 3, "note": "best", "layer._extra_state": None}
    assert set(read(tmp_path, flat).tensors) == set(STATE)


def test_a_torchscript_archive_is_named(tmp_path: Path) -> None:
    class Twice(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    file = tmp_path / "clip.pt"
    torch.jit.trace(Twice(), torch.ones(1)).save(str(file))
    with pytest.raises(UserError, match=r"TorchScript archive.*state_dict\(\)") as caught:
        open_checkpoint(file)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("flax_model.msgpack", "Flax"),
        ("tf_model.h5", "TensorFlow"),
        ("saved_model.pb", "TensorFlow"),
        ("model.onnx", "ONNX"),
        ("model.ckpt.index", "TensorFlow"),
    ],
)
def test_files_of_other_libraries_are_named(tmp_path: Path, name: str, word: str) -> None:
    (tmp_path / name).write_bytes(b"0" * 64)
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(UserError, match=word) as caught:
            open_checkpoint(path)
        assert "resume" not in str(caught.value)


def test_a_config_without_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    (tmp_path / "training_args.bin").write_bytes(b"0")
    with pytest.raises(UserError, match="stands alone: fetch the weights"):
        weights_file(tmp_path)


def test_several_bin_files_are_opened_by_their_index(tmp_path: Path) -> None:
    import json

    places = {}
    for number, (name, tensor) in enumerate(STATE.items(), 1):
        places[name] = f"pytorch_model-{number:05}-of-00002.bin"
        torch.save({name: tensor}, tmp_path / places[name])
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    checkpoint = open_checkpoint(tmp_path)
    for name, tensor in STATE.items():
        assert torch.equal(checkpoint.tensor(name), tensor)
    (tmp_path / places["a.bias"]).unlink()
    with pytest.raises(UserError, match="not in its folder: fetch it too"):
        open_checkpoint(tmp_path)


def test_accelerates_second_model_is_named(tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "pytorch_model_1.bin"):
        torch.save(STATE, tmp_path / name)
    (line,) = open_checkpoint(tmp_path).chosen
    assert "pytorch_model_1.bin" in line


def test_what_timms_train_script_says_is_its_config(tmp_path: Path) -> None:
    arguments = argparse.Namespace(
        mean=None, std=[0.1, 0.2, 0.3], crop_pct=1.0, gp="avg", model_kwargs={"reg_tokens": 2}
    )
    content = {"state_dict": STATE, "arch": "vit_tiny_patch16_224", "args": arguments}
    assert read(tmp_path, content).config == {
        "architecture": "vit_tiny_patch16_224",
        "model_args": {"reg_tokens": 2},
        "pretrained_cfg": {"std": [0.1, 0.2, 0.3], "crop_pct": 1.0},
        "global_pool": "avg",
    }
    assert read(tmp_path, {"model": STATE, "args": arguments}).config == {}
