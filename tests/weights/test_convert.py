import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
import torch

import vitreous
from vitreous.errors import UserError
from vitreous.weights import convert as module
from vitreous.weights.convert import convert


def test_a_file_gets_its_config_beside_it_and_a_folder_inside(make, tmp_path: Path) -> None:
    model = make(activation="gelu")
    convert(model, tmp_path / "a.safetensors", "timm")
    convert(model, tmp_path / "b", "timm")
    assert json.loads((tmp_path / "a.config.json").read_text())["model_args"]["num_heads"] == 1
    assert {file.name for file in (tmp_path / "b").iterdir()} == {
        "config.json",
        "model.safetensors",
    }


def test_every_timm_option_comes_back(make, tmp_path: Path) -> None:
    for number, fields in enumerate(
        (
            {"registers": 3, "prefix_positions": True, "layer_scale": 1e-5},
            {"registers": 3, "prefix_positions": False},
            {"class_token": False, "pooling": "mean", "final_norm": "pooled"},
            {"class_token": True, "pooling": "mean", "final_norm": "tokens"},
            {"image_size": (12, 20), "qkv_bias": False, "activation": "relu"},
            {"channels": 1, "num_classes": 0, "width": 48, "heads": 3},
        )
    ):
        model = make(**fields)
        out = tmp_path / str(number)
        assert convert(model, out, "timm").difference == 0
        config = vitreous.load(out).config
        for name, value in fields.items():
            assert getattr(config, name) == value, name


def test_an_epsilon_that_is_refused_by_its_logits(make, tmp_path: Path) -> None:
    model = make(norm_eps=1e-2, activation="gelu")
    with pytest.raises(UserError, match=r"timm format cannot say norm_eps 0\.01: its logits"):
        convert(model, tmp_path / "out", "timm")
    assert not list(tmp_path.glob("out/*"))


def test_nothing_is_left_where_the_proof_fails(make, tmp_path: Path, monkeypatch) -> None:
    real = module.to_theirs

    def wrong(rules, ours):
        return ((name, tensor + 1e-7) for name, tensor in real(rules, ours))

    monkeypatch.setattr(module, "to_theirs", wrong)
    with pytest.raises(UserError, match="did not come back from the google format"):
        convert(make(), tmp_path / "x.npz", "google")
    assert not list(tmp_path.iterdir())


def test_where_it_may_not_write(make, tmp_path: Path) -> None:
    model = make()
    with pytest.raises(UserError, match=r"would be a \.npz file"):
        convert(model, tmp_path / "x.safetensors", "google")
    convert(model, tmp_path / "x.npz", "google")
    with pytest.raises(UserError, match="exists already"):
        convert(model, tmp_path / "x.npz", "google")


def test_says_what_a_format_has_no_place_for(make, write, tmp_path: Path) -> None:
    file = write(make(activation="gelu"), "timm")
    file.with_suffix(".config.json").write_text('{"label_names": ["a", "b", "c", "d", "e"]}')
    model = vitreous.load(file)
    assert convert(model, tmp_path / "tv", "torchvision").lost == ("class names", "preprocessing")
    assert convert(model, tmp_path / "ours", "vitreous").lost == ()


def test_half_precision_is_read_as_float32(make, write) -> None:
    def half(tensors):
        return {name: tensor.half() for name, tensor in tensors.items()}

    model = vitreous.load(write(make(), "timm", change=half))
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "fields", [{"position": "none"}, {"position_at": "layers_shared"}, {"position": "relative"}]
)
def test_positions_that_no_other_format_knows_are_refused(make, tmp_path: Path, fields) -> None:
    for to in ("timm", "google", "huggingface"):
        with pytest.raises(UserError, match=next(iter(fields))):
            convert(make(**fields), tmp_path / "out", to)
    assert convert(make(**fields), tmp_path / "ours", "vitreous").difference == 0


@pytest.mark.parametrize(
    ("to", "theirs"), [("timm", "config.json"), ("huggingface", "preprocessor_config.json")]
)
def test_a_config_that_is_there_is_never_written_over(make, tmp_path: Path, to, theirs) -> None:
    (tmp_path / theirs).write_text("a run's own")
    with pytest.raises(UserError, match=f"{theirs} exists already"):
        convert(make(activation="gelu"), tmp_path, to)
    assert [file.name for file in tmp_path.iterdir()] == [theirs]
    assert (tmp_path / theirs).read_text() == "a run's own"


def test_neither_is_one_beside_a_file(make, tmp_path: Path) -> None:
    (tmp_path / "a.config.json").write_text("{}")
    with pytest.raises(UserError, match=r"a\.config\.json exists already"):
        convert(make(activation="gelu"), tmp_path / "a.safetensors", "timm")
    assert not (tmp_path / "a.safetensors").exists()


@pytest.mark.parametrize("to", ["timm", "huggingface"])
def test_a_cut_leaves_a_config_and_never_weights_alone(
    make, tmp_path: Path, monkeypatch, to: str
) -> None:
    """At whatever write it comes; the same call then ends what was begun."""
    from vitreous import durable

    model = make(activation="gelu")
    for last in range(1, 12):
        out, done = tmp_path / str(last), []

        def dies(source, target, last=last, done=done, real=os.replace) -> None:
            done.append(target)
            if len(done) == last:
                raise KeyboardInterrupt
            real(source, target)

        monkeypatch.setattr(durable.os, "replace", dies)
        with suppress(KeyboardInterrupt):
            convert(model, out, to)
        monkeypatch.undo()
        whole = (out / "model.safetensors").exists()
        if whole:
            assert last > 1
            assert vitreous.load(out).config.depth == model.config.depth
            return
        assert convert(model, out, to).difference < 2e-5
    raise AssertionError("it was never whole")
