"""What is printed: names of strangers, full disks, readers that leave, faults nobody foresaw."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from vitreous.cli import main as module
from vitreous.cli.main import main
from vitreous.cli.terminal import Plain, console_on_stderr, plain, plain_streams, printable
from vitreous.errors import MachineError, UserError

NASTY = "a\x1b[2K\x1b]0;title\x07\x9b1A\u202egpj.\r"


def test_control_characters_are_written_as_escapes() -> None:
    assert plain(NASTY) == r"a\x1b[2K\x1b]0;title\x07\x9b1A\u202egpj.\x0d"
    assert plain("tab\tand\nline, Grüße 日本 😀") == "tab\tand\nline, Grüße 日本 😀"
    assert printable("a\nb\tc") == r"a\nb\tc"


def test_everything_that_is_printed_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    with plain_streams():
        print(NASTY)
        print(NASTY, file=sys.stderr)
        sys.stdout.writelines([NASTY])
        assert sys.stdout.encoding
        with plain_streams():
            print("\x1b")
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert r"\x1b[2K" in out
    assert r"\x1b[2K" in err


def test_a_console_says_names_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """No escape of theirs, and no markup."""
    monkeypatch.setattr(sys, "stderr", Plain(io.StringIO()))
    console_on_stderr().print("[/red] [bold]a\x1b[2K.jpg", highlight=False, soft_wrap=True)
    assert sys.stderr.getvalue() == "[/red] [bold]a\\x1b[2K.jpg\n"


@pytest.mark.parametrize("verb", ["predict", "evaluate", "data"])
def test_names_in_error_messages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    name = str(tmp_path / "a\x1b[2Kb")
    line = {"predict": ["predict", name, "x"], "evaluate": ["evaluate", name]}
    assert main(line.get(verb, ["data", "check", name])) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert r"a\x1b[2Kb" in err


@pytest.mark.parametrize("arguments", [["models"], ["--help"], ["--version"], ["data"]])
def test_a_full_disk_behind_the_output(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "vitreous", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "vitreous: cannot write the output: No space left on device\n"


def test_a_full_disk_behind_everything() -> None:
    with open("/dev/full", "w") as full:
        line = [sys.executable, "-m", "vitreous", "predict", "nowhere", "x"]
        assert subprocess.run(line, stdout=full, stderr=full, timeout=120).returncode == 2


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UserError("a: b"), 2, "a: b"),
        (MachineError("no memory"), 1, "no memory"),
        (TypeError("x\nis None"), 1, "TypeError: x is None (the traceback is in "),
        (RecursionError(), 1, "RecursionError (the traceback is in "),
        (MemoryError(), 1, "there is not enough memory: "),
        (OSError(5, "Input/output error", "a.jpg"), 1, "OSError: "),
        (AssertionError(), 1, "AssertionError (the traceback is in "),
    ],
)
def test_the_last_line_of_defence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    error: Exception,
    code: int,
    told: str,
) -> None:
    def fail(_: list[str]) -> int:
        raise error

    monkeypatch.setattr(module, "_run", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["models"]) == code
    out, err = capsys.readouterr()
    assert not out
    assert len(err.splitlines()) == 1
    assert err.startswith(f"vitreous: {told}")
    if "traceback is in" in err:
        (file,) = tmp_path.iterdir()
        assert str(file) in err
        assert "Traceback (most recent call last)" in file.read_text()
