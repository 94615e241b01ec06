"""Faults of the machine, which are no faults of any image: tried again, then told in one line."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitreous import files
from vitreous.cli.main import main
from vitreous.data import decode as decoding
from vitreous.data.decode import decode
from vitreous.data.sources.encoded import EncodedPart
from vitreous.errors import BadImageError, MachineError

QUICK = ["--batch_size", "8", "--model.depth", "1", "--model.width", "12", "--model.heads", "3"]


def png(side: int = 8) -> bytes:
    file = BytesIO()
    Image.new("RGB", (side, side)).save(file, "PNG")
    return file.getvalue()


@dataclass
class Failing:
    """Storage that fails some times with a fault, and then answers."""

    number: int
    times: int
    calls: list[int] = field(default_factory=list)

    def fetch(self, position: int) -> bytes:
        self.calls.append(position)
        if len(self.calls) <= self.times:
            raise OSError(self.number, os.strerror(self.number))
        return png()


def part(store: Failing) -> EncodedPart:
    return EncodedPart(["a.png"], np.zeros(1, np.int64), np.zeros(1, np.int64), store, 3)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_WAITS", (0, 0, 0))


@pytest.mark.parametrize(
    "number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.EIO, errno.ETIMEDOUT]
)
def test_storage_that_fails_for_a_while(number: int) -> None:
    assert part(Failing(number, 3)).read(0).shape == (8, 8, 3)
    with pytest.raises(MachineError, match=r"cannot read a\.png"):
        part(Failing(number, 99)).read(0)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ENAMETOOLONG])
def test_an_image_that_is_not_there(number: int) -> None:
    with pytest.raises(BadImageError):
        part(store := Failing(number, 99)).read(0)
    assert len(store.calls) == 1


def test_no_memory_for_an_image_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told from a file that asks for absurd amounts by whether an image of its size has room."""

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decoding, "to_uint8", full)
    with pytest.raises(BadImageError):  # there is room: the file asked for too much
        decode(png(), "a.png")
    monkeypatch.setattr(decoding.np, "empty", full)
    with pytest.raises(MachineError, match=r"no memory to decode a\.png"):
        decode(png(), "a.png")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            pixels = draw.integers(0, 256, (12, 12, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


@pytest.mark.parametrize("verb", ["check", "train"])
def test_a_machine_that_fails_books_no_image(
    photos: Path, tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    real, calls = files._read, []

    def failing(path: object, most: int) -> bytes:
        calls.append(path)
        if len(calls) > 45:  # after what opening looks at
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(path, most)

    monkeypatch.setattr(files, "_read", failing)
    train = ["train", str(photos), "--out", str(tmp_path / "run"), "--steps", "30", *QUICK]
    code = main(["data", "check", str(photos)] if verb == "check" else train)
    told = capsys.readouterr()
    assert code == 1
    assert told.err.splitlines()[-1].startswith("vitreous: cannot read ")
    assert "ulimit -n" in told.err
    assert "Traceback" not in told.err
    assert "unreadable" not in told.out + told.err


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "vitreous", *map(str, arguments)]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "code"), [([], 143), (["--on-sigterm", "0"], 0)])
def test_sigterm_is_told_from_success(tmp_path: Path, options: list[str], code: int) -> None:
    run = tmp_path / "run"
    line = command("train", "digits", "--out", run, "--steps", 100_000, *QUICK, *options)
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 120
        while not (run / "metrics.jsonl").exists() and time.monotonic() < until:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=120)
    assert process.returncode == code
    assert "go on with the same command and --resume" in told


def test_two_runs_into_one_folder(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """The second looked at the folder while it was free; the first has ended since."""
    import vitreous.train.run as module

    out = tmp_path / "run"
    line = ["train", str(photos), "--out", str(out), *QUICK]
    real: Callable[..., bool] = module.RunFolder.check_free
    first: list[bool] = []

    def looked(folder: object, *, resume: bool) -> bool:
        free = real(folder, resume=resume)
        if not first:
            first.append(True)
            assert main([*line, "--steps", "2"]) == 0
        return free

    monkeypatch.setattr(module.RunFolder, "check_free", looked)
    assert main([*line, "--steps", "1", "--seed", "5"]) == 2
    assert "holds a finished run" in capsys.readouterr().err
    assert '"seed": 0' in (out / "config.json").read_text()


def test_a_run_that_prepares_keeps_others_out(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """From before its data are looked at, and leaves nothing where it is refused."""
    import vitreous.train.run as module
    from vitreous.errors import UserError

    out, seen = tmp_path / "run", []
    line = ["train", str(photos), "--out", str(out), "--steps", "1", *QUICK]

    def slow(*_: object) -> None:
        monkeypatch.setattr(module, "prepare", seen.append)
        seen.append(main(line))
        raise UserError("no")

    monkeypatch.setattr(module, "prepare", slow)
    assert main(line) == 2
    assert seen == [2]
    assert "is being written by process" in capsys.readouterr().err
    assert not out.exists()
