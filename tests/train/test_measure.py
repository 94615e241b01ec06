import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from vitreous.errors import UserError
from vitreous.train.measure import Journal, read_history


@pytest.fixture
def make_journal(tmp_path, console):
    def make(step=0):
        return Journal(
            tmp_path / "metrics.jsonl",
            step=step,
            steps=10,
            tensorboard=tmp_path / "tensorboard",
            console=console,
        )

    return make


def line(step):
    return {
        "step": step,
        "epoch": step / 4,
        "loss": 1.0,
        "accuracy": 0.5,
        "images_per_second": 9.0,
    }


def test_lines_are_json_and_reach_the_disk_at_once(make_journal, tmp_path):
    with make_journal() as journal:
        journal.write(line(1))
        assert json.loads((tmp_path / "metrics.jsonl").read_text()) == line(1)
    assert journal.history == [line(1)]


def test_a_resumed_log_reads_like_an_uninterrupted_one(make_journal, tmp_path):
    with make_journal() as journal:
        for step in (1, 2, 3):
            journal.write(line(step))
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 4, "lo')  # cut short by a kill
    with make_journal(step=2) as journal:
        journal.write(line(3))
    assert [entry["step"] for entry in read_history(path)] == [1, 2, 3]


def test_validation_is_printed(make_journal, console):
    with make_journal() as journal:
        journal.write({"step": 1, "epoch": 1, "validation_accuracy": 0.75, "validation_loss": 0.5})
        journal.write(
            {"step": 2, "epoch": 2, "validation_colour_accuracy": 0.41, "validation_loss": 0.5}
        )
    told = console.file.getvalue()
    assert "validation accuracy 75.0%" in told
    assert "validation accuracy of patch colours 41.0%" in told


def test_tensorboard_gets_the_numbers(make_journal, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with make_journal() as journal:
        journal.write(line(1))
        journal.write(line(2))
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.value for event in events.Scalars("loss")] == [1.0, 1.0]
    assert [event.step for event in events.Scalars("loss")] == [1, 2]


def test_a_full_disk_is_one_line(tmp_path, console):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    journal = Journal(full, step=0, steps=10, tensorboard=tmp_path / "board", console=console)
    with pytest.raises(UserError, match="no space left on the disk: free some, then"), journal:
        journal.write(line(1))


def test_the_bar_tells_of_waiting_for_images(tmp_path):
    screen = Console(file=io.StringIO(), force_terminal=True, width=120)
    path = tmp_path / "metrics.jsonl"
    with Journal(path, step=0, steps=9, tensorboard=tmp_path / "b", console=screen) as journal:
        journal.write(line(1) | {"data_wait": 0.01})
        journal._bar.refresh()
        assert "waiting" not in screen.file.getvalue()
        journal.write(line(2) | {"data_wait": 0.25})
        journal._bar.refresh()
    assert "9 images/s, 25% of the time waiting for them" in screen.file.getvalue()


def test_a_kill_before_the_first_line_leaves_the_log(make_journal, tmp_path):
    with make_journal() as journal:
        journal.write(line(1))
    before = (tmp_path / "metrics.jsonl").read_text()
    with make_journal(step=1):
        assert (tmp_path / "metrics.jsonl").read_text() == before
