"""Reading files that others made: bounded bytes, JSON by one rule, faults of the machine apart.

One function reads the bytes of a path for every verb, and one parses JSON.
"""

import errno
import json
import math
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from vitreous.errors import MachineError, UserError

T = TypeVar("T")

MAX_JSON = 256 * 2**20
"""Largest JSON file that is read, bytes; the deepest real ones have a few megabytes."""

_MACHINE_FAULTS = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ESTALE,
        errno.EIO,
        errno.ETIMEDOUT,
        errno.ENOTCONN,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOBUFS,
    }
)
# Seconds to wait before each further try.
_WAITS = (0.05, 0.25, 1.0)


class JsonError(UserError):
    """A text is no JSON, or holds what JSON files of this package never do."""


def read_file(path: str | os.PathLike[str], most: int) -> bytes:
    """Read a whole regular file of at most `most` bytes.

    A pipe or a device is refused before a byte is read, since reading one may never end. Faults of
    the machine are tried again.

    Raises:
        OSError: The file is missing, not regular, too large, or may not be read.
        MachineError: The machine failed several times.
    """
    return patiently(lambda: _read(path, most), os.fspath(path))


def _read(path: str | os.PathLike[str], most: int) -> bytes:
    try:
        state = os.stat(path)
    except ValueError as fault:  # a byte of zero, or what no name can be
        raise OSError(f"not a name of a file: {fault}") from fault
    if not stat.S_ISREG(state.st_mode):
        kind = "a folder" if stat.S_ISDIR(state.st_mode) else "not a regular file"
        raise OSError(kind)
    if state.st_size > most:
        raise OSError(f"the file is over the limit of {most >> 20} MiB")
    # Not blocking: a pipe put in the file's place since then would be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb", buffering=0) as file:
        data = file.read(state.st_size + 1) or b""
        if len(data) in (0, state.st_size):
            return data
        # Changed while it was read, or handed out in pieces by its file system.
        pieces, size = [data], len(data)
        while size <= most and (piece := file.read(min(most + 1 - size, 1 << 24))):
            pieces.append(piece)
            size += len(piece)
    if size > most:
        raise OSError(f"the file is over the limit of {most >> 20} MiB")
    return b"".join(pieces)


def patiently(read: Callable[[], T], name: str) -> T:
    """Call `read`, and call it again after a while where the machine was at fault.

    Args:
        read: What may fail.
        name: What is read, for the error.

    Raises:
        MachineError: It failed four times within 1.3 seconds for want of what the machine should
            have: memory, open files, a mounted disk.
    """
    for wait in _WAITS:
        try:
            return read()
        except OSError as fault:
            if not is_machine_fault(fault):
                raise
        time.sleep(wait)
    try:
        return read()
    except OSError as fault:
        if not is_machine_fault(fault):
            raise
        raise MachineError(f"cannot read {name}: {_advice(fault)}") from fault


def is_machine_fault(fault: BaseException) -> bool:
    """True where an error speaks of the machine or its disks, and not of one file."""
    return isinstance(fault, OSError) and fault.errno in _MACHINE_FAULTS


def _advice(fault: OSError) -> str:
    words = fault.strerror or str(fault)
    if fault.errno in (errno.EMFILE, errno.ENFILE):
        return f"{words}: raise the limit (ulimit -n), or close other programs"
    if fault.errno in (errno.ENOMEM, errno.ENOBUFS):
        return f"{words}: free some memory, or use fewer --readers"
    return f"{words}: see whether the disk or its mount answers, then go on"


def read_json(path: str | os.PathLike[str], most: int = MAX_JSON) -> Any:
    """Parse a JSON file.

    Raises:
        OSError: See `read_file`.
        JsonError: It is no JSON; see `parse_json`.
    """
    return parse_json(read_file(path, most), str(path))


def read_json_object(path: Path) -> dict[str, Any]:
    """Parse a JSON file that must hold an object.

    Raises:
        OSError: See `read_file`.
        JsonError: It is no JSON, or no object.
    """
    values = read_json(path)
    if not isinstance(values, dict):
        raise JsonError(f"{path} holds no JSON object")
    return values


def parse_json(text: str | bytes | bytearray, name: str) -> Any:
    """Parse JSON by one rule for all files: UTF-8, numbers finite, nesting and digits bounded.

    Args:
        text: The JSON.
        name: What to call it in an error.

    Raises:
        JsonError: It is no JSON, nests too deeply, or holds a number that is not finite or has too
            many digits.
    """
    try:
        if not isinstance(text, str):
            text = bytes(text).decode("utf-8-sig")
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise JsonError(f"{name} is no JSON: it nests too deeply") from error
    except ValueError as error:  # UnicodeDecodeError, JSONDecodeError, integers without end
        raise JsonError(f"{name} is no JSON: {error}") from error


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number
