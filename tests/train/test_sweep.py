import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from vitreous.data.augmentation import Augmentation
from vitreous.errors import UserError
from vitreous.train import sweep as module
from vitreous.train.objectives import with_objective
from vitreous.train.step import NonFiniteError
from vitreous.train.sweep import read_axes, sweep

AXES = {"optimizer.learning_rate": ["1e-5", "1e-2"]}


def test_the_last_part_of_a_name_is_enough():
    assert read_axes(["learning_rate=1,2", "model.depth=1,2"]) == {
        "optimizer.learning_rate": ["1", "2"],
        "model.depth": ["1", "2"],
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rate", "give FIELD=VALUE,VALUE"),
        ("learning_rate=1", "two or more"),
        ("learning_rate=1,1", "different"),
        ("learning_rate=0.01,0.010,1e-2", "different"),
        ("rate=1,2", "no such field"),
        ("channels=1,3", "may be model.channels or preprocessing.channels"),
    ],
)
def test_what_is_no_axis_is_refused(text, words):
    with pytest.raises(UserError, match=words):
        read_axes([text])


def test_a_wrong_value_stops_before_any_run(make_config, digits, console, tmp_path):
    with pytest.raises(UserError, match="learning_rate"):
        sweep(
            make_config(),
            digits,
            tmp_path / "run",
            console,
            {"optimizer.learning_rate": ["1e-3", "fast"]},
        )
    assert not (tmp_path / "run").exists()


def test_the_best_by_validation_becomes_the_run(make_config, digits, console, tmp_path):
    out = tmp_path / "run"
    config = make_config(steps=60, average=0.0, augmentation=Augmentation(), validate_every=99.0)
    report = sweep(config, digits, out, console, AXES)
    record = json.loads((out / "sweep.json").read_text())
    assert record["best"]["values"] == {"optimizer.learning_rate": "1e-2"}
    scores = [run["score"] for run in record["runs"]]
    assert scores[1] > scores[0]
    # Runs of the sweep know of no test images; the result is measured on them.
    best = out / "sweep" / "learning_rate=1e-2"
    assert json.loads((best / "report.json").read_text())["part"] == "validation"
    assert "test" not in json.loads((best / "split.json").read_text())["parts"]
    assert report["part"] == "test"
    parts = json.loads((out / "split.json").read_text())["parts"]
    assert (
        parts["validation"] == json.loads((best / "split.json").read_text())["parts"]["validation"]
    )
    whole, one = load_file(out / "model.safetensors"), load_file(best / "model.safetensors")
    assert all(torch.equal(whole[name], one[name]) for name in whole)


def test_a_stopped_sweep_goes_on_where_it_was(make_config, digits, console, tmp_path, monkeypatch):
    out, config = tmp_path / "run", make_config(steps=4, validate_every=99.0)
    trained = []

    def train(config, dataset, folder, console, *, resume=False):
        trained.append(folder.name)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return real(config, dataset, folder, console, resume=resume)

    real = module.train
    monkeypatch.setattr(module, "train", train)
    with pytest.raises(KeyboardInterrupt):
        sweep(config, digits, out, console, AXES)
    with pytest.raises(UserError, match="holds a sweep: --resume"):
        sweep(config, digits, out, console, AXES)
    with pytest.raises(UserError, match="other axes"):
        sweep(config, digits, out, console, {"seed": ["0", "1"]}, resume=True)
    sweep(config, digits, out, console, AXES, resume=True)
    assert trained == ["learning_rate=1e-5", *["learning_rate=1e-2"] * 2, "run"]


def test_a_run_that_explodes_is_told_and_passed_over(
    make_config, digits, console, tmp_path, monkeypatch
):
    real = module.train

    def train(config, dataset, folder, console, *, resume=False):
        if config.optimizer.learning_rate > 1e-3:
            raise NonFiniteError("the loss is nan")
        return real(config, dataset, folder, console, resume=resume)

    monkeypatch.setattr(module, "train", train)
    out = tmp_path / "run"
    sweep(make_config(steps=2, validate_every=99.0), digits, out, console, AXES)
    record = json.loads((out / "sweep.json").read_text())
    assert record["runs"][1]["failed"] == "the loss is nan"
    assert record["best"]["values"] == {"optimizer.learning_rate": "1e-5"}


def test_without_validation_there_is_nothing_to_go_by(make_config, digits, console, tmp_path):
    with pytest.raises(UserError, match="compares runs by validation"):
        sweep(make_config(validation_fraction=0.0), digits, tmp_path / "run", console, AXES)


@pytest.mark.parametrize("kind", ["masked_patch", "mae"])
def test_runs_without_labels_are_compared_too(make_config, digits, console, tmp_path, kind):
    whole = with_objective(make_config(steps=2, validate_every=99.0), kind)
    config = replace(whole, model=replace(whole.model, patch=2))
    out = tmp_path / "run"
    sweep(config, digits, out, console, AXES)
    record = json.loads((out / "sweep.json").read_text())
    reports = [
        json.loads((out / run["folder"] / "report.json").read_text()) for run in record["runs"]
    ]
    scores = [run["score"] for run in record["runs"]]
    if kind == "mae":
        assert scores == [-report["loss"] for report in reports]
        assert record["best"]["measure"] == "validation loss"
        assert f"loss {record['best']['loss']:.4g}" in console.file.getvalue()
    else:
        assert scores == [report["colour_accuracy"] for report in reports]
    assert record["best"]["score"] == max(scores)
