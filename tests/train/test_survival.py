"""What a run does when the machine or the numbers fail it."""

import fcntl
import json
import os
import signal
import time
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from vitreous.errors import UserError
from vitreous.train import loop as loop_module
from vitreous.train.config import OptimizerConfig
from vitreous.train.loop import Loop
from vitreous.train.measure import read_history
from vitreous.train.run import train
from vitreous.train.run_folder import RunFolder
from vitreous.train.step import NonFiniteError
from vitreous.train.stop import StoppedError


def break_images(monkeypatch, steps):
    """Images of some steps turn into NaN on their way to the model."""
    accumulate = Loop._accumulate

    def broken(self, task):
        if self.state.step in steps:
            task = replace(task, images=task.images * torch.nan)
        return accumulate(self, task)

    monkeypatch.setattr(Loop, "_accumulate", broken)


def test_a_weight_that_is_not_finite_names_the_layer_where_it_shows(
    make_config, digits, console, run_folder, monkeypatch
):
    accumulate = Loop._accumulate

    def broken(self, task):
        if self.state.step == 3:
            with torch.no_grad():
                self.state.model.encoder.blocks[1].mlp.expand.weight[0, 0] = torch.inf
        return accumulate(self, task)

    monkeypatch.setattr(Loop, "_accumulate", broken)
    with pytest.raises(NonFiniteError, match=r"step 3: .*encoder\.blocks\.1\.mlp\.expand"):
        train(make_config(), digits, run_folder, console)


def test_a_broken_batch_is_skipped_when_asked(
    make_config, digits, console, run_folder, monkeypatch
):
    break_images(monkeypatch, {4, 5})
    config = make_config(optimizer=OptimizerConfig(on_nonfinite="skip"), log_every=1)
    train(config, digits, run_folder, console)
    said = console.file.getvalue()
    assert "step 4 skipped: the loss is nan" in said
    assert "at 0.25 of the plan's" in said
    steps = [line["step"] for line in read_history(run_folder / "metrics.jsonl") if "loss" in line]
    assert steps == [1, 2, 3, 4, 7, 8, 9, 10, 11, 12]
    assert all(
        bool(t.isfinite().all()) for t in load_file(run_folder / "model.safetensors").values()
    )


def test_skipping_for_ever_stops(make_config, digits, console, run_folder, monkeypatch):
    break_images(monkeypatch, set(range(100)))
    config = make_config(optimizer=OptimizerConfig(on_nonfinite="skip"), steps=50)
    with pytest.raises(NonFiniteError, match="step 10: .* 10 batches in a row"):
        train(config, digits, run_folder, console)


def test_out_of_memory_goes_on_in_smaller_pieces(
    make_config, digits, console, tmp_path, monkeypatch
):
    accumulate = loop_module.accumulate

    def small_gpu(model, objective, task, engine, micro_batch):
        if micro_batch > 11:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return accumulate(model, objective, task, engine, micro_batch)

    train(make_config(micro_batch=10), digits, tmp_path / "small", console)
    monkeypatch.setattr(loop_module, "accumulate", small_gpu)
    train(make_config(micro_batch=40), digits, tmp_path / "large", console)
    said = console.file.getvalue()
    assert "40 images at once do not fit" in said
    assert "going on with pieces of 10" in said
    small, large = (load_file(tmp_path / n / "model.safetensors") for n in ("small", "large"))
    assert all(torch.equal(small[name], large[name]) for name in small)


def test_two_runs_in_one_folder(make_config, digits, console, run_folder):
    with RunFolder(run_folder).locked():
        with pytest.raises(UserError, match="is being written by process"):
            train(make_config(), digits, run_folder, console)
    train(make_config(steps=1), digits, run_folder, console)
    with (run_folder / ".lock").open() as file:  # free again
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_flipped_bit_in_a_state_falls_back(make_config, digits, console, run_folder):
    config = make_config(checkpoint_every=6)
    train(config, digits, run_folder, console)
    before = load_file(run_folder / "model.safetensors")
    newest = run_folder / "checkpoints" / "step-000000012.safetensors"
    data = bytearray(newest.read_bytes())
    data[-100] ^= 4
    newest.write_bytes(data)
    train(config, digits, run_folder, console, resume=True)
    said = console.file.getvalue()
    assert f"{newest.name} is damaged" in said
    assert "resumed at step 6" in said
    after = load_file(run_folder / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_states_are_kept_by_rule(make_config, digits, console, run_folder):
    config = make_config(checkpoint_every=4, checkpoint_keep=1, checkpoint_seconds=0.0, steps=11)
    train(config, digits, run_folder, console)
    steps = sorted(int(p.stem[5:]) for p in (run_folder / "checkpoints").iterdir())
    assert steps == [4, 8, 11]


def test_a_fault_of_the_writing_thread_is_told(
    make_config, digits, console, run_folder, monkeypatch
):
    def full(self, *_):
        raise UserError("cannot write: no space left on the disk")

    monkeypatch.setattr("vitreous.train.checkpoint.Checkpoints._write", full)
    with pytest.raises(UserError, match="no space left"):
        train(make_config(checkpoint_seconds=0.0), digits, run_folder, console)


def test_what_a_killed_writer_left_is_swept(make_config, digits, console, run_folder):
    config = make_config(steps=2)
    train(config, digits, run_folder, console)
    file = run_folder / ".model.safetensors.7.part"
    state = run_folder / "checkpoints" / ".step-000000009.part"
    file.write_bytes(b"half")
    state.mkdir()
    (state / "shard").write_bytes(b"half")
    train(config, digits, run_folder, console, resume=True)
    assert not file.exists()
    assert not state.exists()


def test_another_machine_may_go_on_with_a_run(make_config, digits, console, run_folder):
    config = make_config(steps=2)
    train(config, digits, run_folder, console)
    lean = replace(config.parallel, activation_checkpointing=1)
    train(replace(config, parallel=lean, micro_batch=8), digits, run_folder, console, resume=True)
    assert json.loads((run_folder / "config.json").read_text())["micro_batch"] == 16


def test_a_clock_that_jumps_changes_nothing(make_config, digits, console, tmp_path, monkeypatch):
    """The wall clock falls by an hour at every look; time is taken by one that only goes on."""
    config = make_config(steps=4, checkpoint_seconds=0.0, log_every=1)
    train(config, digits, tmp_path / "steady", console)
    falling = iter(range(2_000_000_000, 0, -3600))
    monkeypatch.setattr("time.time", lambda: float(next(falling)))
    train(config, digits, tmp_path / "jumping", console)
    monkeypatch.undo()
    steady, jumping = (
        load_file(tmp_path / name / "model.safetensors") for name in ("steady", "jumping")
    )
    assert all(torch.equal(steady[name], jumping[name]) for name in steady)
    history = read_history(tmp_path / "jumping" / "metrics.jsonl")
    assert all(0 < line["device_hours"] < 1 for line in history)


def test_where_no_state_is_whole_the_run_says_that_it_begins_again(
    make_config, digits, console, run_folder
):
    config = make_config(checkpoint_every=6)
    train(config, digits, run_folder, console)
    before = load_file(run_folder / "model.safetensors")
    for path in (run_folder / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:200])
    train(config, digits, run_folder, console, resume=True)
    said = console.file.getvalue()
    assert said.count("is damaged") == 2
    assert "no whole state is left, and the run begins again at step 0" in said
    after = load_file(run_folder / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_weights_that_blew_up_are_told_by_a_validation(
    make_config, digits, console, run_folder, monkeypatch
):
    """The last step's loss was finite; what it made of the weights is not."""

    validate = Loop._validate

    def blown_up(self):
        torch.nn.init.constant_(self.state.result.head.weight, torch.inf)
        validate(self)

    monkeypatch.setattr(Loop, "_validate", blown_up)
    told = r"step 3: on validation images logits hold NaN or infinity.*lower --optimizer"
    with pytest.raises(NonFiniteError, match=told):
        train(make_config(validate_every=3 * 40 / 1150), digits, run_folder, console)
    assert not (run_folder / "model.safetensors").exists()


def test_sigterm_while_the_result_is_measured_leaves_with_the_state(
    make_config, digits, console, run_folder, monkeypatch
):
    def killed(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr("vitreous.train.run.evaluate_part", killed)
        with pytest.raises(StoppedError, match="at step 12") as stopped:
            train(make_config(), digits, run_folder, console)
    assert stopped.value.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
    assert train(make_config(), digits, run_folder, console, resume=True)["num_images"] == 360
