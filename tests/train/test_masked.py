"""Runs without labels, and what is made of them."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from vitreous.errors import UserError
from vitreous.objective.config import MAEConfig, MaskedPatchConfig
from vitreous.train.config import OptimizerConfig, TrainConfig
from vitreous.train.loop import Loop
from vitreous.train.measure import read_history
from vitreous.train.objectives import with_objective
from vitreous.train.run import train
from vitreous.weights.load import load


@pytest.fixture(params=["masked_patch", "mae"])
def config(request, make_config) -> TrainConfig:
    whole = make_config(optimizer=OptimizerConfig(name="muon", clip=1.0), checkpoint_seconds=0.0)
    config = with_objective(replace(whole, steps=6), request.param)
    return replace(config, model=replace(config.model, patch=2))


def test_a_run_leaves_a_model_without_a_head(config, digits, console, run_folder) -> None:
    report = train(config, digits, run_folder, console)
    assert report["num_images"] == 360
    assert report["part"] == "test"
    assert json.loads((run_folder / "report.json").read_text()) == report
    model = load(run_folder)
    assert model.config.num_classes == 0
    assert model.passport.class_names == ()
    assert model.passport.metrics["loss"] == report["loss"]
    assert model.passport.origin["objective"] == config.objective.kind
    page = (run_folder / "reconstructions.html").read_text()
    assert page.count("<img") == 3 * 16
    lines = read_history(run_folder / "metrics.jsonl")
    assert any("validation_loss" in line for line in lines)
    said = console.file.getvalue()
    assert "beside it" in said
    assert "validation" in said
    assert said.count("accuracy") == said.count("accuracy of patch colours")


def test_labels_are_not_read(config, digits, console, tmp_path) -> None:
    class Blind:
        def __init__(self, part):
            self.names, self.read, self.labels = part.names, part.read, part.labels * 0

    blind = replace(digits, parts={name: Blind(part) for name, part in digits.parts.items()})
    train(config, digits, tmp_path / "a", console)
    train(config, blind, tmp_path / "b", console)
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_stopped_at_any_step_it_ends_the_same(
    config, digits, console, tmp_path, monkeypatch
) -> None:
    train(config, digits, tmp_path / "whole", console)
    taken = Loop._step

    def dying(self, batch):
        if self.state.step == 4:
            raise RuntimeError("killed")
        return taken(self, batch)

    monkeypatch.setattr(Loop, "_step", dying)
    with pytest.raises(RuntimeError, match="killed"):
        train(config, digits, tmp_path / "cut", console)
    monkeypatch.undo()
    train(config, digits, tmp_path / "cut", console, resume=True)
    whole, cut = (load_file(tmp_path / n / "model.safetensors") for n in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_what_was_learnt_is_fine_tuned(config, digits, console, tmp_path, make_config) -> None:
    train(config, digits, tmp_path / "first", console)
    start = load(tmp_path / "first")
    tuned = make_config(
        model=start.config.with_classes(10),
        weights=str(tmp_path / "first"),
        steps=1,
        average=0.0,
        optimizer=OptimizerConfig(name="sgd", learning_rate=1e-12),
    )
    train(tuned, digits, tmp_path / "tuned", console)
    model = load(tmp_path / "tuned")
    assert model.head.weight.shape == (10, 16)
    torch.testing.assert_close(model.patch.weight, start.patch.weight)


def test_pretraining_goes_on_from_weights(config, digits, console, tmp_path) -> None:
    train(config, digits, tmp_path / "first", console)
    again = replace(config, weights=str(tmp_path / "first"), steps=1)
    assert train(again, digits, tmp_path / "second", console)["loss"] > 0


def test_the_config_is_written_and_read_back(config) -> None:
    again = TrainConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    old = config.to_dict()
    del old["objective"]
    assert TrainConfig.from_dict(old).objective.kind == "classification"


def test_labels_and_what_changes_them_are_left_out(make_config) -> None:
    config = with_objective(make_config(), "mae")
    assert config.objective == MAEConfig()
    assert config.label_smoothing == config.augmentation.mixup == config.augmentation.cutmix == 0
    assert config.augmentation.crop_area == make_config().augmentation.crop_area
    assert with_objective(make_config(), "classification") == make_config()


def test_what_cannot_be_is_refused(make_config) -> None:
    with pytest.raises(UserError, match="did you mean masked_patch"):
        with_objective(make_config(), "maskedpatch")
    with pytest.raises(UserError, match="num_classes is 10"):
        make_config(objective=MaskedPatchConfig())
    with pytest.raises(UserError, match="objective 'jigsaw' is not known"):
        TrainConfig.from_dict(make_config().to_dict() | {"objective": {"kind": "jigsaw"}})


def test_the_best_validation_is_kept_by_its_loss(config, digits, console, run_folder) -> None:
    keeping = replace(config, result="best", validate_every=0.05)
    assert train(keeping, digits, run_folder, console)["loss"] > 0
    assert load(run_folder).passport.origin["best_step"] > 0
