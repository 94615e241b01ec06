import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from vitreous.cli.main import main
from vitreous.errors import UserError
from vitreous.train.verify import Proof, _started, verify_resume

TINY = "digits --steps 150 --batch_size 8 --model.width 16 --model.heads 2 --model.depth 1".split()


def test_a_killed_run_ends_the_same(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", *TINY, "--out", str(out), "--verify-resume"]) == 0
    said = capsys.readouterr().out
    assert "killed after" in said
    assert "equal, bit for bit" in said
    assert (out / "report.html").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_where_nothing_is_measured_the_log_tells_the_time(tmp_path):
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (40, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "only.npz", x=pixels, y=np.arange(40) % 2)
    options = [*TINY[1:], "--validation_fraction", "0", "--model.patch", "4"]
    assert verify_resume([str(tmp_path / "only.npz"), *options], tmp_path / "run").equal
    assert not (tmp_path / "run" / "report.json").exists()


def test_other_bytes_are_not_equal():
    assert Proof((), "a", "a").equal
    assert not Proof((), "a", "b").equal


def test_a_folder_that_is_taken_is_left_alone(tmp_path):
    with pytest.raises(UserError, match="exists"):
        verify_resume(TINY, tmp_path)


def test_a_run_that_fails_by_itself_says_why(tmp_path):
    with pytest.raises(UserError, match="learning_rate"):
        verify_resume([*TINY, "--optimizer.learning_rate", "-1"], tmp_path / "run")


@pytest.mark.skipif(sys.platform != "linux", reason="children are read from /proc")
def test_children_in_sessions_of_their_own_die_too(tmp_path):
    """As torchrun's workers are: or a kill would leave them training to the end."""
    note = tmp_path / "child"
    program = (
        "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(60)'], start_new_session=True); "
        f"open({str(note)!r}, 'w').write(str(child.pid) + '.'); time.sleep(60)"
    )
    with _started([sys.executable, "-c", program]):
        while not note.exists() or not note.read_text().endswith("."):
            time.sleep(0.01)
        child = int(note.read_text()[:-1])
        os.kill(child, 0)
    for _ in range(500):  # whoever inherits it has to collect it
        try:
            state = Path(f"/proc/{child}/stat").read_text().split()[2]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.01)
    raise AssertionError("the child lives")
