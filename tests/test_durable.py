import errno
import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from vitreous import durable
from vitreous.durable import exclusive, write_durably, write_text
from vitreous.errors import UserError


def test_a_file_is_put_in_place_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"
    write_text(path, "ä\n")
    assert path.read_bytes() == "ä\n".encode()
    write_text(path, "second")
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_the_old_file_is_whole_until_the_new_one_is(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("old")

    def write(aside: Path) -> None:
        aside.write_text("new")
        assert path.read_text() == "old"
        assert aside.parent == path.parent, "a rename across disks would not be one step"

    write_durably(path, write)
    assert path.read_text() == "new"


def test_the_old_file_is_whole_until_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut in the last moment: the new file is complete aside, and not yet in place."""
    path = tmp_path / "state"
    path.write_text("old")

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_the_file_reaches_the_disk_before_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append("sync") or fsync(fd))
    monkeypatch.setattr(os, "replace", lambda *pair: calls.append("rename") or rename(*pair))
    write_text(tmp_path / "a", "text")
    assert calls == ["sync", "rename", "sync"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError(), MemoryError()])
def test_whatever_stops_it_leaves_nothing_behind(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "state"
    path.write_text("old")

    def write(aside: Path) -> None:
        aside.write_text("half")
        raise error

    with pytest.raises(type(error)):
        write_durably(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    def write(aside: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(UserError, match=f"^cannot write {tmp_path}/a: no space left on the disk: "):
        write_durably(tmp_path / "a", write)
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for place, words in (("file/below", "(Not a directory|File exists)"), ("folder", "directory")):
        with pytest.raises(UserError, match=f"cannot write {tmp_path / place}: .*{words}"):
            write_text(tmp_path / place, "text")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "words")
    assert os.read(reader, 100) == b"words"
    os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_that_keeps_no_locks_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.warns(RuntimeWarning, match="keeps no locks"), exclusive(tmp_path / "l") as holder:
        assert holder is None


@pytest.mark.parametrize("place", [".", "/", ""])
def test_a_place_without_a_name_is_one_line(place: str) -> None:
    with pytest.raises(UserError, match="it is a folder: give a file"):
        write_text(Path(place), "text")


def _dead_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_what_killed_writers_left_is_swept(tmp_path: Path) -> None:
    """Of dead processes alone, and nothing that is named otherwise."""
    dead = _dead_process()
    left = [f".train-000006.tar.{dead}.part", f".features.parquet.{dead}.part"]
    kept = [f".x.json.{os.getppid()}.part", ".rsync.part", f"plain.{dead}.part", ".note"]
    for name in left + kept:
        (tmp_path / name).write_text("half")
    write_text(tmp_path / "new.json", "{}")
    assert {path.name for path in tmp_path.iterdir()} == {*kept, "new.json"}


def test_a_lock_whose_file_was_taken_away_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, who held it has ended and removed it."""
    real = durable.fcntl.flock

    def late(descriptor: int, how: int) -> None:
        (tmp_path / ".lock").unlink()
        real(descriptor, how)

    monkeypatch.setattr(durable.fcntl, "flock", late)
    with exclusive(tmp_path / ".lock") as holder:
        assert holder
