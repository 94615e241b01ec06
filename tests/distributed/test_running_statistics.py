"""BatchNorm over ranks: statistics of each rank's share, and one model for all to evaluate."""

import pytest
import torch
from safetensors.torch import load_file

SMALL = (
    "digits --model ResNet-18 --model.units 1,1 --model.stem_width 4 --model.root plain "
    "--model.image_size 8 --batch_size 48 --micro_batch 12 --average 0.9 --log_every 1 "
    "--precision float32 --steps 3 --optimizer.learning_rate 0.02"
).split()

# The command line, with each rank's statistics before and after they are exchanged beside it.
PROGRAM = """
import os, sys
from safetensors.torch import save_file
from vitreous.cli.main import main
from vitreous.parallel.collect import rank
from vitreous.train.loop import Loop
from vitreous.train.running_statistics import RunningStatistics

agree, validate = RunningStatistics.agree, Loop._validate
steps = []

def note(name, tensors):
    save_file({n: t.contiguous() for n, t in tensors.items()}, f"{os.environ['NOTES']}-{name}")

def noted(running):
    steps.append(0)
    for when in ("before", "after"):
        now = {str(n): t.clone() for n, t in enumerate(running._now)}
        note(f"{when}-{len(steps)}-{rank()}", now)
        agree(running) if when == "before" else None

def looked_at(loop):
    result = dict(loop.state.result.named_buffers())
    note(f"evaluated-{rank()}", result)
    validate(loop)

if __name__ == "__main__":
    RunningStatistics.agree, Loop._validate = noted, looked_at
    sys.exit(main())
"""


@pytest.mark.timeout(300)
def test_ranks_differ_within_a_step_and_agree_after_it(launch, tmp_path, monkeypatch):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    notes, runs = {}, {}
    for strategy in ("ddp", "fsdp"):
        monkeypatch.setenv("NOTES", str(tmp_path / strategy))
        options = ("--parallel.strategy", strategy)
        runs[strategy] = launch(2, strategy + "-run", *options, module=(program,), tiny=SMALL)
        runs[strategy].finish()
        notes[strategy] = {
            name: load_file(tmp_path / f"{strategy}-{name}")
            for name in ("before-1-0", "before-1-1", "after-1-0", "after-1-1")
        }
        before, after = (
            [notes[strategy][f"{when}-1-{rank}"] for rank in (0, 1)] for when in ("before", "after")
        )
        assert before[0]
        for name, mean in after[0].items():
            assert not torch.equal(before[0][name], before[1][name])
            torch.testing.assert_close(mean, (before[0][name] + before[1][name]) / 2)
            assert torch.equal(mean, after[1][name])
        first, second = (load_file(tmp_path / f"{strategy}-evaluated-{rank}") for rank in (0, 1))
        assert first
        assert all(torch.equal(first[name], second[name]) for name in first)
    losses = [run.history("validation_loss") for run in runs.values()]
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    ddp, fsdp = (load_file(run.folder / "model.safetensors") for run in runs.values())
    assert any(name.endswith("running_var") for name in ddp)
    for name, tensor in ddp.items():
        torch.testing.assert_close(fsdp[name], tensor, atol=1e-4, rtol=1e-3)


@pytest.mark.timeout(300)
def test_a_run_over_ranks_is_gone_on_with_by_one(launch):
    options = ("--parallel.strategy", "fsdp", "--checkpoint_every", 2)
    run = launch(2, "run", *options, tiny=SMALL).finish()
    (run.folder / "model.safetensors").unlink()
    again = launch(1, "run", *options, "--resume", tiny=SMALL).finish()
    assert max(again.history("loss")) == 3
