r"""Text for the terminal: names of strangers without their control characters.

A file name may hold an escape sequence that erases lines, moves the cursor or changes the window's
title. Whatever verbs print goes through `Plain`, which writes such characters as `\x1b`.
"""

import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

# C0 but for tab and line feed, DEL, C1, and marks that turn the direction of text.
_CONTROL = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]"
)


def printable(text: str) -> str:
    r"""Escape control characters and ends of lines, as in `a\x1b[2K.jpg`: for a name in a line."""
    return plain(text).replace("\n", "\\n").replace("\t", "\\t")


def plain(text: str) -> str:
    """Escape control characters, ends of lines and tabs apart."""
    return _CONTROL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class Plain:
    """A text stream that writes control characters as escapes; in all else it is the other one.

    Attributes:
        under: The stream that is written to.
    """

    def __init__(self, under: TextIO) -> None:
        self.under = under

    def write(self, text: str) -> int:
        """Write a text, and return its length."""
        self.under.write(plain(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write some texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.under, name)


@contextmanager
def plain_streams() -> Iterator[None]:
    r"""Let everything that is printed go through `Plain`.

    File names that the terminal's code cannot say are printed as `\udcXX`.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):  # tests and notebooks put others there
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = map(_plainly, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _plainly(stream: TextIO | None) -> Any:
    return stream if stream is None or isinstance(stream, Plain) else Plain(stream)


def overwrite_line(text: str) -> None:
    """Put a text in the place of the line that stderr's cursor is in."""
    under = sys.stderr.under if isinstance(sys.stderr, Plain) else sys.stderr
    under.write(f"\r\x1b[K{plain(text)}")
    under.flush()


def console_on_stderr(*, quiet: bool = False) -> "Console":
    """A console for lines and bars on stderr, whose own codes pass and those of names do not."""
    from rich.console import Console

    class _Console(Console):
        def print(self, *objects: Any, **options: Any) -> None:
            texts = [plain(thing) if isinstance(thing, str) else thing for thing in objects]
            super().print(*texts, **options)

    under = sys.stderr.under if isinstance(sys.stderr, Plain) else sys.stderr
    return _Console(file=under, quiet=quiet, markup=False)
