"""Reading what others wrote: kinds of files, limits, faults of the machine, JSON."""

import errno
import os
import socket
from pathlib import Path

import pytest

from vitreous import files
from vitreous.errors import MachineError, UserError
from vitreous.files import JsonError, parse_json, patiently, read_file, read_json_object


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_WAITS", (0, 0, 0))


def test_a_file_comes_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for data in (b"", b"x", bytes(100_000)):
        path.write_bytes(data)
        assert read_file(path, 100_000) == data
        assert read_file(str(path), 100_000) == data
    (tmp_path / "link").symlink_to(path)
    assert len(read_file(tmp_path / "link", 100_000)) == 100_000
    with pytest.raises(OSError, match="over the limit"):
        read_file(path, 99_999)


def test_what_may_never_end_is_not_begun(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "door"))
        for name in ("pipe", "zero", "door"):
            with pytest.raises(OSError, match="not a regular file"):
                read_file(tmp_path / name, 1000)
    with pytest.raises(OSError, match="not a name of a file"):
        read_file("a\0b", 1000)
    with pytest.raises(OSError, match="a folder"):
        read_file(tmp_path, 1000)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM, errno.ESTALE, errno.EIO])
def test_faults_of_the_machine_are_tried_again(number: int) -> None:
    tries = []

    def read(fails: int) -> str:
        tries.append(number)
        if len(tries) <= fails:
            raise OSError(number, os.strerror(number))
        return "there"

    assert patiently(lambda: read(3), "a.jpg") == "there"
    tries.clear()
    with pytest.raises(MachineError, match=r"cannot read a\.jpg: ") as caught:
        patiently(lambda: read(4), "a.jpg")
    assert "\n" not in str(caught.value)
    assert len(tries) == 4


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EISDIR])
def test_faults_of_the_file_are_not(number: int) -> None:
    tries = []

    def read() -> None:
        tries.append(1)
        raise OSError(number, "no")

    with pytest.raises(OSError, match="no"):
        patiently(read, "a.jpg")
    assert len(tries) == 1


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"NaN", b'{"a": Infinity}', b"[1e999]", b"9" * 5000],
)
def test_what_is_no_json(text: bytes) -> None:
    with pytest.raises(JsonError, match="a.json is no JSON"):
        parse_json(text, "a.json")


def test_json(tmp_path: Path) -> None:
    assert parse_json("\ufeff".encode() + b'{"a": [1, 2.5, null]}', "x") == {"a": [1, 2.5, None]}
    path = tmp_path / "a.json"
    path.write_text("[]")
    with pytest.raises(UserError, match="holds no JSON object"):
        read_json_object(path)
