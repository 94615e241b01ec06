"""What happens to the others when something happens to one rank."""

import signal
import time

import pytest


def wait_for_step(run, step):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        metrics = run.folder / "metrics.jsonl"
        if metrics.is_file() and len(metrics.read_text().splitlines()) > step:
            return
        assert all(p.poll() is None for p in run.processes), run.wait()
        time.sleep(0.05)
    raise AssertionError("the run did not begin")


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_sigterm_on_one_rank_saves_on_all_and_exits_143(launch, strategy):
    options = ("--steps", 4000, "--parallel.strategy", strategy)
    run = launch(2, "run", *options)
    wait_for_step(run, 2)
    run.processes[1].send_signal(signal.SIGTERM)
    (code, said), (other, _) = run.wait()
    assert (code, other) == (143, 143)
    (state,) = (run.folder / "checkpoints").iterdir()
    assert f"stopped at step {int(state.stem[5:])}:" in said


@pytest.mark.parametrize("saving", [(), ("--parallel.strategy", "fsdp", "--checkpoint_every", 1)])
def test_a_rank_that_dies_ends_the_others_with_one_line(launch, saving):
    run = launch(2, "run", "--steps", 4000, *saving)
    wait_for_step(run, 2)
    run.processes[0].kill()
    begin = time.monotonic()
    code, said = run.wait()[1]
    assert time.monotonic() - begin < 30
    assert code == 1
    assert "another process of the run is gone" in said.splitlines()[-1]
    assert "Traceback" not in said


# The command line, where the disk of rank 1 takes no file of more than 4,000 bytes.
SMALL_DISK = """
import os, resource
from vitreous.cli.main import main

if os.environ["RANK"] == "1":
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
raise SystemExit(main())
"""


def test_a_disk_that_refuses_a_rank_ends_all_with_one_line(launch, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(SMALL_DISK)
    options = ("--steps", 4000, "--parallel.strategy", "fsdp", "--checkpoint_every", 5)
    run = launch(2, "run", *options, module=(program,))
    (code, said), (other, _) = run.wait()
    assert 0 not in (code, other)
    assert "cannot write" in said.splitlines()[-1]
    assert "File too large" in said.splitlines()[-1]
    assert list((run.folder / "checkpoints").iterdir()) == []


# The command line, where rank 1 looks into a folder of its own.
OTHER_DISK = """
import os
from pathlib import Path
from vitreous.cli.main import main
from vitreous.train.shards import Shards

check = Shards.check
elsewhere = Path("elsewhere") if os.environ["RANK"] == "1" else Path()
Shards.check = lambda self, path: check(self, path.parent / elsewhere / path.name)
raise SystemExit(main())
"""


def test_a_rank_that_does_not_see_the_state_is_told_of(launch, tmp_path):
    options = ("--steps", 4, "--parallel.strategy", "fsdp", "--checkpoint_every", 2)
    run = launch(2, "run", *options).finish()
    (run.folder / "model.safetensors").unlink()
    program = tmp_path / "program.py"
    program.write_text(OTHER_DISK)
    (code, said), (other, silent) = launch(2, "run", *options, "--resume", module=(program,)).wait()
    assert 0 not in (code, other)
    assert "rank 1 does not see" in said.splitlines()[-1]
    assert "Traceback" not in silent


def test_restarted_by_torchrun_it_resumes_by_itself(launch):
    options = ("--steps", 12, "--checkpoint_every", 1)
    whole = launch(2, "whole", *options).finish()
    cut = launch(2, "cut", "--steps", 12, "--checkpoint_every", 1)
    wait_for_step(cut, 4)
    for process in cut.processes:
        process.kill()
    cut.wait()
    launch(2, "cut", *options, restarts=1).finish()
    results = [(run.folder / "model.safetensors").read_bytes() for run in (whole, cut)]
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--batch_size", 1), "batch_size 1 cannot be shared evenly by 2 processes: give 2"),
        (("--batch_size", 7), "give 6 or 8"),
        (("--model.num_classes", 7), "10 classes"),
    ],
)
def test_a_mistake_is_told_once(launch, options, words):
    run = launch(2, "run", *options)
    (code, said), (other, silence) = run.wait()
    assert (code, other) == (2, 2)
    assert words in said.splitlines()[-1]
    assert "Traceback" not in said
    assert silence == ""
    assert not run.folder.exists()
