import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed
from torch.distributed import HashStore
from torch.distributed.checkpoint.api import CheckpointException

from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.train.average import WeightAverage
from vitreous.train.checkpoint import Checkpoints
from vitreous.train.config import OptimizerConfig
from vitreous.train.optimizer import build_optimizers
from vitreous.train.state import TrainingState


@pytest.fixture(autouse=True, params=["one file", "shards"])
def layout(request, monkeypatch):
    """As weights that each rank holds whole are saved, and as spread ones are."""
    shards = request.param == "shards"
    monkeypatch.setattr("vitreous.train.checkpoint.is_spread", lambda tensor: shards)
    distributed.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield request.param
    distributed.destroy_process_group()


def file_of(path):
    """The file that has a state's tensors."""
    return next(path.glob("*.safetensors")) if path.is_dir() else path


def make_state(make_config, optimizer="muon", moves=3) -> TrainingState:
    torch.manual_seed(moves)
    model = create_model(make_config().model)
    state = TrainingState(
        model,
        build_optimizers(model, OptimizerConfig(name=optimizer)),
        WeightAverage(model, 0.9),
    )
    for _ in range(moves):
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        for optimizer_ in state.optimizers:
            optimizer_.step()
        state.average.update(model, state.step)
        state.step += 1
    state.seconds = moves / 7
    return state


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_everything_comes_back_bit_for_bit(make_config, tmp_path, optimizer):
    checkpoints = Checkpoints(tmp_path)
    state = make_state(make_config, optimizer)
    checkpoints.save(state)
    fresh = make_state(make_config, optimizer, moves=0)
    assert checkpoints.restore(fresh) == []
    assert (fresh.step, fresh.seconds) == (state.step, state.seconds)
    saved, restored = state.tensors(), fresh.tensors()
    assert saved.keys() == restored.keys()
    assert any(name.startswith("optimizer/") for name in saved)
    assert all(torch.equal(saved[name], restored[name]) for name in saved)


def test_names_in_the_file_are_frozen(make_config, tmp_path):
    """A run begun with an older version must resume: these names may not change."""
    path = Checkpoints(tmp_path).save(make_state(make_config, "adamw"))
    names = set(load_file(file_of(path)))
    assert "model/encoder.blocks.0.attention.qkv.weight" in names
    assert "average/position.table" in names
    assert "optimizer/class_token/exp_avg_sq" in names
    assert "optimizer/head.bias/step" in names


def test_the_last_two_are_kept(make_config, tmp_path, layout):
    checkpoints = Checkpoints(tmp_path)
    state = make_state(make_config)
    for step in (3, 5, 12):
        state.step = step
        checkpoints.save(state)
    names = sorted(path.name for path in tmp_path.iterdir())
    end = ".safetensors" if layout == "one file" else ""
    assert names == [f"step-000000005{end}", f"step-000000012{end}"]


@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_a_file_cut_short_falls_back_and_says_so(make_config, tmp_path, length):
    checkpoints = Checkpoints(tmp_path)
    state = make_state(make_config)
    checkpoints.save(state)
    state.step = 9
    newest = checkpoints.save(state)
    file = file_of(newest)
    os.truncate(file, length if length >= 0 else file.stat().st_size + length)
    fresh = make_state(make_config, moves=0)
    (line,) = checkpoints.restore(fresh)
    assert newest.name in line
    assert fresh.step == 3


def test_nothing_to_restore_leaves_the_state_alone(make_config, tmp_path):
    fresh = make_state(make_config, moves=0)
    assert Checkpoints(tmp_path / "absent").restore(fresh) == []
    assert fresh.step == 0


def test_another_models_state_is_refused(make_config, tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(make_state(make_config))
    config = make_config().model
    other = create_model(type(config)(**(vars(config) | {"width": 32, "head_width": None})))
    state = TrainingState(other, build_optimizers(other, OptimizerConfig()), None)
    with pytest.raises(UserError, match="another model"):
        checkpoints.restore(state)


def test_a_full_disk_leaves_the_last_state_whole(make_config, tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    state = make_state(make_config)
    checkpoints.save(state)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    state.step = 9
    with pytest.raises(UserError, match="no space left"):
        checkpoints.save(state)
    monkeypatch.undo()
    fresh = make_state(make_config, moves=0)
    checkpoints.restore(fresh)
    assert fresh.step == 3
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_newer_damaged_state_leaves_goes_with_the_next_one(make_config, tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1)
    state = make_state(make_config)
    for step in (9, 5):
        state.step = step
        checkpoints.save(state)
    assert checkpoints.newest == 5
    assert len(list(tmp_path.iterdir())) == 1


def test_a_state_is_what_it_was_when_it_was_asked_for(make_config, tmp_path):
    """It is written while training goes on."""
    checkpoints = Checkpoints(tmp_path)
    state = make_state(make_config)
    before = {name: tensor.clone() for name, tensor in state.tensors().items()}
    checkpoints.start(state)
    with torch.no_grad():
        for tensor in state.tensors().values():
            tensor.fill_(7.0)
    checkpoints.finish()
    fresh = make_state(make_config, moves=0)
    checkpoints.restore(fresh)
    assert all(torch.equal(before[name], tensor) for name, tensor in fresh.tensors().items())


def test_a_damaged_state_is_written_again(make_config, tmp_path):
    state = make_state(make_config)
    os.truncate(file_of(Checkpoints(tmp_path).save(state)), 9)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state)
    assert checkpoints.restore(make_state(make_config, moves=0)) == []


def test_a_state_is_written_once(make_config, tmp_path):
    """Asked for twice at one step, as the best one and the last one are."""
    checkpoints = Checkpoints(tmp_path, keep=1)
    state = make_state(make_config)
    before = checkpoints.save(state).stat()
    after = checkpoints.save(state).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_the_layout_may_change_on_the_way(make_config, tmp_path, layout, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    state = make_state(make_config)
    checkpoints.save(state)
    monkeypatch.setattr("vitreous.train.checkpoint.is_spread", lambda _: layout == "one file")
    fresh = make_state(make_config, moves=0)
    checkpoints.restore(fresh)
    Checkpoints(tmp_path).save(fresh)
    assert len(list(tmp_path.iterdir())) == 1, "of the same step"
    again = make_state(make_config, moves=0)
    checkpoints.restore(again)
    saved = state.tensors()
    assert all(torch.equal(saved[name], tensor) for name, tensor in again.tensors().items())


@pytest.mark.parametrize("at", range(6))
def test_a_cut_at_any_moment_leaves_a_whole_state(make_config, tmp_path, monkeypatch, at):
    """The process is gone at the nth sync, rename or removal; whoever comes after reads a state."""
    checkpoints = Checkpoints(tmp_path, keep=1)
    state = make_state(make_config)
    checkpoints.save(state)
    calls = iter(range(99))

    def cut(call):
        def instead(*arguments, **options):
            if next(calls) >= at:
                raise KeyboardInterrupt
            return call(*arguments, **options)

        return instead

    with monkeypatch.context() as patch:
        for module, name in ((os, "fsync"), (os, "replace"), (shutil, "rmtree")):
            patch.setattr(module, name, cut(getattr(module, name)))
        patch.setattr(Path, "unlink", cut(Path.unlink))
        patch.setattr(Path, "rename", cut(Path.rename))
        patch.setattr("vitreous.train.checkpoint.sweep", lambda folder: None)
        state.step = 9
        with suppress(KeyboardInterrupt, RuntimeError, CheckpointException):
            checkpoints.save(state)
    fresh = make_state(make_config, moves=0)
    assert Checkpoints(tmp_path).restore(fresh) == []
    assert fresh.step in (3, 9)


@pytest.mark.parametrize("layout", ["shards"], indirect=True)
@pytest.mark.parametrize("how", ["gone", "not part of it", "state.json is not what"])
def test_shards_that_are_not_those_written_are_passed_over(make_config, tmp_path, how):
    checkpoints = Checkpoints(tmp_path)
    state = make_state(make_config)
    checkpoints.save(state)
    state.step = 9
    newest = checkpoints.save(state)
    if how == "gone":
        file_of(newest).unlink()
    elif how == "not part of it":
        shutil.copy(file_of(newest), newest / "other.safetensors")
    else:
        header = newest / "state.json"
        header.write_text(header.read_text().replace('"seconds": 0.4', '"seconds": 0.5'))
    fresh = make_state(make_config, moves=0)
    (line,) = checkpoints.restore(fresh)
    assert how in line
    assert fresh.step == 3


def test_a_state_under_the_name_of_another_step_is_passed_over(make_config, tmp_path):
    checkpoints = Checkpoints(tmp_path)
    path = checkpoints.save(make_state(make_config))
    path.rename(path.with_name(path.name.replace("3", "7")))
    fresh = make_state(make_config, moves=0)
    (line,) = checkpoints.restore(fresh)
    assert "its step is not that of its name" in line
    assert fresh.step == 0
