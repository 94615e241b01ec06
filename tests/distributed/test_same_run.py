"""One process, DDP and FSDP2 train the same model."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from vitreous.durable import remove
from vitreous.train.shards import Shards

STEPS = 50


WIDER = ("--model.width", 32, "--model.mlp_width", 64)
OPTIMIZERS = {"adamw": ("--optimizer.name", "adamw", *WIDER), "muon": ()}  # the recipe's is Muon


def test_two_processes_go_the_way_of_one(launch):
    options = ("--steps", 6, "--few_shot", 5, *OPTIMIZERS["muon"])
    one = launch(1, "one", *options).finish()
    two = launch(2, "two", *options, "--parallel.strategy", "ddp").finish()
    assert list(one.history("loss")) == list(range(1, 7))
    assert two.history("loss") == pytest.approx(one.history("loss"), abs=1e-5)
    # One image in 360 may stand on the line between two classes.
    assert two.history("few_shot_accuracy") == pytest.approx(
        one.history("few_shot_accuracy"), abs=0.003
    )


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_any_number_of_ranks_any_way_and_back(launch, tmp_path, optimizer):
    """The same loss curve to 1e-5 over 50 steps; halves made by others join at the same curve."""
    options = ("--steps", STEPS, "--checkpoint_every", STEPS // 2, *OPTIMIZERS[optimizer])
    one = launch(1, "one", *options).finish()
    ddp = launch(2, "ddp", *options, "--parallel.strategy", "ddp").finish()
    fsdp = launch(2, "fsdp", *options, "--parallel.strategy", "fsdp").finish()
    joined = []
    for name, first, ranks, strategy in (
        ("fsdp-then-one", fsdp, 1, "auto"),
        ("one-then-fsdp", one, 2, "fsdp"),
    ):
        cut = shutil.copytree(first.folder, tmp_path / name)
        remove(state_of(cut, STEPS))
        assert state_of(cut, STEPS // 2).is_dir() == (first is fsdp)
        again = launch(ranks, name, *options, "--resume", "--parallel.strategy", strategy)
        joined.append(again.finish())
    expected = one.history("loss")
    assert list(expected) == list(range(1, STEPS + 1))
    assert expected[STEPS] < expected[1] - 0.02
    for run in (ddp, fsdp, *joined):
        assert run.history("loss") == pytest.approx(expected, abs=1e-5)
        assert run.history("validation_loss") == pytest.approx(
            one.history("validation_loss"), abs=1e-5
        )
        ours, theirs = (load_file(r.folder / "model.safetensors") for r in (run, one))
        assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in theirs.items()}
        steps = {int(p.name[5:14]) for p in (run.folder / "checkpoints").iterdir()}
        assert steps == {STEPS // 2, STEPS}
    saved = load_shards(state_of(fsdp.folder, STEPS // 2))
    other = load_file(state_of(one.folder, STEPS // 2))
    assert {n: t.shape for n, t in saved.items()} == {n: t.shape for n, t in other.items()}
    assert saved["model/head.weight"].allclose(other["model/head.weight"], atol=1e-5)


def state_of(run: Path, step: int) -> Path:
    (found,) = (run / "checkpoints").glob(f"step-{step:09}*")
    return found


def load_shards(folder: Path) -> dict[str, Tensor]:
    """The state of a run whose weights were spread over ranks, as any one process reads it."""
    _, kinds = Shards().check(folder)
    tensors = {n: torch.empty(shape, dtype=getattr(torch, d)) for n, (d, shape) in kinds.items()}
    Shards().read(folder, tensors)
    return tensors
