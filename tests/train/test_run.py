"""Whole runs on real digits, small enough for a second."""

import json
import os
import signal
import time

import pytest
import torch
from safetensors.torch import load_file

from vitreous.data.loader import TrainingLoader
from vitreous.errors import UserError
from vitreous.train.config import OptimizerConfig, ScheduleConfig
from vitreous.train.loop import Loop
from vitreous.train.measure import read_history
from vitreous.train.run import train
from vitreous.train.run_folder import continued
from vitreous.train.step import NonFiniteError
from vitreous.train.stop import StoppedError
from vitreous.weights.load import load


def weights_of(folder):
    return load_file(folder / "model.safetensors")


def assert_equal(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_leaves_a_complete_folder(make_config, digits, console, run_folder):
    report = train(make_config(), digits, run_folder, console)
    names = {path.name for path in run_folder.iterdir()}
    assert names >= {
        "config.json",
        "split.json",
        "metrics.jsonl",
        "model.safetensors",
        "report.json",
        "report.html",
        "checkpoints",
        "tensorboard",
    }
    assert report["part"] == "test"
    assert report["num_images"] == 360
    written = json.loads((run_folder / "report.json").read_text())
    assert written["accuracy"] == report["accuracy"]
    model = load(run_folder)
    assert model.passport.class_names == digits.class_names
    assert model.passport.metrics["accuracy"] == report["accuracy"]
    split = json.loads((run_folder / "split.json").read_text())
    assert {part: len(names) for part, names in split["parts"].items()} == {
        "train": 1150,
        "validation": 287,
        "test": 360,
    }


def test_the_log_tells_the_whole_run(make_config, digits, console, run_folder):
    train(make_config(log_every=5, validate_every=0.2), digits, run_folder, console)
    history = read_history(run_folder / "metrics.jsonl")
    training = [line for line in history if "loss" in line]
    assert [line["step"] for line in training] == [5, 10, 12]
    assert all(line["images_per_second"] > 0 for line in training)
    assert all(0 <= line["data_wait"] < 1 for line in training)
    assert training[-1]["images"] == 12 * 40
    validation = [line for line in history if "validation_loss" in line]
    assert validation[-1]["step"] == 12
    assert 0 <= validation[-1]["validation_accuracy"] <= 1


def test_the_log_tells_of_waiting_for_images(make_config, digits, console, run_folder, monkeypatch):
    batches = Loop._batches

    def slow(loop):
        for batch in batches(loop):
            time.sleep(0.2)
            yield batch

    monkeypatch.setattr(Loop, "_batches", slow)
    train(make_config(steps=3, log_every=1), digits, run_folder, console)
    history = read_history(run_folder / "metrics.jsonl")
    waits = [line["data_wait"] for line in history if "loss" in line]
    seconds = [40 / line["images_per_second"] for line in history if "loss" in line]
    assert all(0.2 / step <= wait < 1 for wait, step in zip(waits, seconds, strict=True))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_a_seed_repeats_a_run_and_another_does_not(
    make_config, digits, console, tmp_path, optimizer
):
    def run(name, seed):
        config = make_config(seed=seed, optimizer=OptimizerConfig(name=optimizer), steps=4)
        train(config, digits, tmp_path / name, console)
        return weights_of(tmp_path / name)

    first = run("first", 1)
    assert_equal(first, run("again", 1))
    other = run("other", 2)
    assert not torch.equal(first["head.weight"], other["head.weight"])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_stopped_at_any_step_it_ends_the_same(
    make_config, digits, console, tmp_path, monkeypatch, optimizer, precision
):
    config = make_config(
        optimizer=OptimizerConfig(name=optimizer, clip=1.0, momentum=0.95),
        schedule=ScheduleConfig(sides=(8, 12), side_starts=(0.0, 0.6)),
        precision=precision,
        checkpoint_seconds=0.0,
    )
    train(config, digits, tmp_path / "whole", console)

    # Killed without a chance to save, in the middle of steps 1, 5 and 11.
    taken = Loop._step
    deaths = [1, 5, 11]

    def dying(self, batch):
        if deaths and self.state.step == deaths[0]:
            deaths.pop(0)
            raise RuntimeError("killed")
        return taken(self, batch)

    monkeypatch.setattr(Loop, "_step", dying)
    while deaths:
        with pytest.raises(RuntimeError, match="killed"):
            train(config, digits, tmp_path / "cut", console, resume=True)
    train(config, digits, tmp_path / "cut", console, resume=True)
    assert_equal(weights_of(tmp_path / "whole"), weights_of(tmp_path / "cut"))
    whole, cut = (read_history(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut"))
    assert [line["step"] for line in whole] == [line["step"] for line in cut]
    assert [line.get("validation_loss") for line in whole] == [
        line.get("validation_loss") for line in cut
    ]


def test_resumed_from_an_old_state_it_ends_the_same(
    make_config, digits, console, tmp_path, monkeypatch
):
    """The state on disk is older than the stop: steps are taken again, with the same result."""
    config = make_config()
    train(config, digits, tmp_path / "whole", console)
    taken = Loop._step

    def dying(self, batch):
        if self.state.step == 4:
            self.folder.checkpoints.save(self.state)
        if self.state.step == 9:
            raise RuntimeError("killed")
        return taken(self, batch)

    monkeypatch.setattr(Loop, "_step", dying)
    with pytest.raises(RuntimeError, match="killed"):
        train(config, digits, tmp_path / "cut", console)
    monkeypatch.undo()
    train(config, digits, tmp_path / "cut", console, resume=True)
    assert_equal(weights_of(tmp_path / "whole"), weights_of(tmp_path / "cut"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_after_the_step(
    make_config, digits, console, run_folder, monkeypatch, number
):
    batches = TrainingLoader.batches

    def interrupted(self, start, stop, size):
        for step, batch in enumerate(batches(self, start, stop, size), start):
            if step == 3:
                os.kill(os.getpid(), number)
            yield batch

    monkeypatch.setattr(TrainingLoader, "batches", interrupted)
    handler = signal.getsignal(number)
    with pytest.raises(StoppedError) as stopped:
        train(make_config(), digits, run_folder, console)
    assert stopped.value.step == 4
    assert stopped.value.signal == number
    assert (run_folder / "checkpoints" / "step-000000004.safetensors").is_file()
    assert not (run_folder / "model.safetensors").exists()
    assert signal.getsignal(number) is handler


def test_a_finished_run_is_not_overwritten(make_config, digits, console, run_folder):
    config = make_config(steps=1)
    train(config, digits, run_folder, console)
    before = (run_folder / "model.safetensors").read_bytes()
    with pytest.raises(UserError, match="holds a finished run"):
        train(config, digits, run_folder, console)
    with pytest.raises(UserError, match="begun with seed 0 and is now asked for 1"):
        train(make_config(steps=1, seed=1), digits, run_folder, console, resume=True)
    train(config, digits, run_folder, console, resume=True)  # writes the report again
    assert (run_folder / "model.safetensors").read_bytes() == before


def test_what_was_resolved_stays_resolved(make_config, digits, console, run_folder):
    """Open fields of the same config take the run's own values when it is gone on with."""
    asked = make_config(steps=None, epochs=0.1, micro_batch=None, precision="auto")
    train(asked, digits, run_folder, console)
    (run_folder / "model.safetensors").unlink()
    train(asked, digits, run_folder, console, resume=True)
    assert (run_folder / "model.safetensors").is_file()


def test_what_a_run_killed_at_its_beginning_leaves_is_no_other_run(
    make_config, digits, console, run_folder
):
    run_folder.mkdir()
    (run_folder / "split.json").write_text("{}")
    (run_folder / ".config.json.7.part").write_text("{")
    train(make_config(steps=1), digits, run_folder, console)
    assert (run_folder / "model.safetensors").is_file()


def test_a_folder_of_something_else_is_left_alone(make_config, digits, console, run_folder):
    run_folder.mkdir()
    (run_folder / "thesis.txt").write_text("chapter one")
    with pytest.raises(UserError, match="is no run folder"):
        train(make_config(), digits, run_folder, console)
    assert [path.name for path in run_folder.iterdir()] == ["thesis.txt"]


def test_a_loss_that_explodes_stops_before_the_weights_move(
    make_config, digits, console, run_folder
):
    config = make_config(
        optimizer=OptimizerConfig(name="sgd", learning_rate=1e30), steps=200, average=0.0
    )
    with pytest.raises(NonFiniteError, match="step .* not move"):
        train(config, digits, run_folder, console)
    assert not (run_folder / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": {"num_classes": 7}}, "10 classes"),
        ({"model": {"channels": 3}}, "1 channels"),
    ],
)
def test_nothing_is_written_when_data_and_model_disagree(
    make_config, digits, console, run_folder, changes, words
):
    config = make_config().to_dict()
    config["model"] |= changes["model"]
    if "channels" in changes["model"]:
        config["preprocessing"] |= {"channels": 3, "mean": [0.5] * 3, "std": [0.5] * 3}
    with pytest.raises(UserError, match=words):
        train(type(make_config()).from_dict(config), digits, run_folder, console)
    assert not run_folder.exists()


def test_fine_tuning_starts_from_the_weights_with_a_zero_head(
    make_config, digits, console, tmp_path
):
    train(make_config(), digits, tmp_path / "first", console)
    start = load(tmp_path / "first")
    config = make_config(weights=str(tmp_path / "first"), steps=1, average=0.0, seed=3)
    # A rate too small to move a weight by more than a rounding error.
    config = type(config).from_dict(
        config.to_dict() | {"optimizer": {"name": "sgd", "learning_rate": 1e-12}}
    )
    train(config, digits, tmp_path / "tuned", console)
    tuned = load(tmp_path / "tuned")
    assert float(tuned.head.weight.detach().abs().max()) < 1e-9
    torch.testing.assert_close(
        tuned.encoder.blocks[0].mlp.expand.weight, start.encoder.blocks[0].mlp.expand.weight
    )


def test_a_head_is_kept_by_class_names(make_config, digits, console, tmp_path):
    train(make_config(), digits, tmp_path / "first", console)
    start = load(tmp_path / "first")
    config = make_config(weights=str(tmp_path / "first"), keep_head=True, steps=1, average=0.0)
    config = type(config).from_dict(
        config.to_dict() | {"optimizer": {"name": "sgd", "learning_rate": 1e-12}}
    )
    train(config, digits, tmp_path / "tuned", console)
    torch.testing.assert_close(load(tmp_path / "tuned").head.weight, start.head.weight)
    values = config.to_dict()
    values["model"]["pre_logits"] = 8
    with pytest.raises(UserError, match="keep_head .* give --model.pre_logits none"):
        train(type(config).from_dict(values), digits, tmp_path / "other", console)


def test_tested_at_another_size_than_trained(make_config, digits, console, run_folder):
    config = make_config().to_dict()
    config["preprocessing"]["size"] = [12, 12]
    train(type(make_config()).from_dict(config), digits, run_folder, console)
    model = load(run_folder)
    assert model.config.image_size == model.passport.preprocessing.size == (12, 12)
    assert model.position.table.shape == (1 + 9, 16)


def test_weights_are_adapted_to_the_data(make_config, digits, console, tmp_path):
    """Another patch side and image size."""
    train(make_config(), digits, tmp_path / "first", console)
    config = make_config(weights=str(tmp_path / "first"), steps=1).to_dict()
    config["model"] |= {"patch": config["model"]["patch"] * 2, "image_size": [16, 16]}
    config["preprocessing"] |= {"size": [16, 16]}
    train(type(make_config()).from_dict(config), digits, tmp_path / "tuned", console)
    tuned = load(tmp_path / "tuned")
    assert tuned.config.patch == 2 * load(tmp_path / "first").config.patch
    assert tuned.passport.preprocessing.size == (16, 16)


def test_which_of_several_gpus_goes_on_with_a_run_changes_nothing(make_config):
    begun, asked = make_config(device="cuda"), make_config(device="cuda:1")
    assert continued(begun, asked).device == "cuda"
    with pytest.raises(UserError, match="begun with device 'cuda' and is now asked for 'cpu'"):
        continued(begun, make_config(device="cpu"))
