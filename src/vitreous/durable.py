"""Files that are complete or absent: written aside, synced, renamed; their locks and digests."""

import errno
import fcntl
import hashlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vitreous.errors import UserError

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)


def write_durably(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file beside `path`, then put it in place in one step.

    Whatever was at `path` stays whole until the new file is complete, also on a full disk or a
    power cut.

    Raises:
        UserError: No room or no right to write there.
    """
    if not path.name:
        raise UserError(f"cannot write {path}: it is a folder: give a file")
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(path.parent)
        aside.touch()
        mode = aside.stat().st_mode  # the user's; safetensors makes its files private
        write(aside)
        aside.chmod(mode)
        sync(aside)
        replace_durably(aside, path)
    except BaseException as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        if (known := tell_of_disk(path, error)) is not None:
            raise known from error
        raise


def replace_durably(aside: Path, path: Path) -> None:
    """Put a finished file or folder in place, so that it is there after a power cut too."""
    if aside.is_dir():
        sync(aside)
    os.replace(aside, path)
    sync(path.parent)


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(path: Path) -> None:
    """Take a file or folder away in one step, if it is there: it is never seen half gone."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    aside = path.with_name(f".{path.name}.gone.part")
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Drop what writers that were killed have left half-done; nobody may be writing there."""
    for left in folder.glob(".*.part"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


# Folders of which this process has dropped what killed writers left.
_swept: set[Path] = set()


def _sweep_once(folder: Path) -> None:
    """Drop half-written files of this machine's dead processes, where nobody holds a lock.

    The name of such a file ends in the writer's process: one that lives is left alone.
    """
    folder = folder.absolute()
    if folder in _swept:
        return
    _swept.add(folder)
    with suppress(OSError):
        for left in folder.glob(".*.part"):
            writer = left.name.rsplit(".", 2)[-2]
            if writer.isdecimal() and left.is_file() and not _lives(int(writer)):
                left.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def tell_of_disk(path: Path, error: BaseException) -> UserError | None:
    """One line, where it is the disk that refused to write at `path`."""
    reason = _reason(error)
    return None if reason is None else UserError(f"cannot write {path}: {reason}")


def write_text(path: Path, text: str) -> None:
    r"""Put a text file in place, complete or not at all; a pipe or device is written to.

    What UTF-8 cannot say, bytes of file names in other codes, becomes `\udcXX`: in JSON that is an
    escape, which comes back as it was.
    """
    data = text.encode("utf-8", "backslashreplace")
    if path.exists() and not path.is_file() and not path.is_dir():
        try:
            path.write_bytes(data)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror or error}") from error
        return
    write_durably(path, lambda aside: _ignore(aside.write_bytes(data)))


@contextmanager
def exclusive(path: Path) -> Iterator[str | None]:
    """Try to be the only one who holds a lock file; it ends with the process, however that ends.

    Some network file systems keep no locks: there it goes on without one, and warns.

    Yields:
        None where it is ours; else who holds it, in words.

    Raises:
        UserError: No right to write there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(f"cannot write {path.parent}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(descriptor, path):  # it was taken away by who held it
                yield "another process"
                return
        except BlockingIOError:
            yield os.read(descriptor, 99).decode(errors="replace") or "another process"
            return
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            warnings.warn(
                f"{path.parent}: its disk keeps no locks ({error.strerror}): let one process alone "
                "write there",
                RuntimeWarning,
                stacklevel=3,
            )
        os.truncate(descriptor, 0)
        with suppress(OSError):  # a name to tell others: a full disk may lack it
            os.write(descriptor, f"process {os.getpid()} on {os.uname().nodename}".encode())
        yield None
    finally:
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _ignore(_: object) -> None:
    return None


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: BaseException) -> str | None:
    """One line for the faults of a disk; safetensors tells of them in words of its own."""
    if isinstance(error, OSError):
        text = error.strerror or str(error)
    elif type(error).__name__ == "SafetensorError":
        text = str(error)
    else:
        return None
    if "No space left" in text:
        return "no space left on the disk: free some and try again"
    return f"{text}: choose a folder that can be written"
