"""Images to leave out: the lists of duplicates that are written, and what is made of any list.

A list is a table with tabs between its columns. `data duplicates A B` heads them `train`, `test`:
training leaves out the names in the first, measuring those in the second. `data duplicates A` heads
them `name`, `like`: training leaves out the first and keeps what it is like, and measuring leaves
out both, since either may have been trained on. In a list without such a heading each line begins
with one name, which both leave out.
"""

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitreous.data.duplicates import Duplicate
from vitreous.data.sample import Dataset
from vitreous.data.split import Subset
from vitreous.durable import write_durably
from vitreous.errors import UserError
from vitreous.files import read_file

# Largest list that is read, bytes.
_MAX_BYTES = 2**30
_INSIDE, _BETWEEN = ("name", "like"), ("train", "test")


@dataclass(frozen=True)
class Exclusion:
    """What a list names.

    Attributes:
        address: The list.
        training: Names that training leaves out.
        measuring: Names that measuring leaves out.
    """

    address: str
    training: frozenset[str]
    measuring: frozenset[str]


def write_exclusion(
    path: Path,
    pairs: Iterable[Duplicate],
    names: Sequence[str],
    other: Sequence[str] | None = None,
) -> None:
    """Write pairs as a list, one a line, with their similarity and in a word how they are alike.

    Args:
        path: Where to; an older list is replaced.
        pairs: As found.
        names: What `first` points into, and `second` too where there is no other set.
        other: What `second` points into, where the pairs lie between two sets.

    Raises:
        UserError: The file cannot be written.
    """
    heading = _INSIDE if other is None else _BETWEEN
    others = names if other is None else other

    def write(aside: Path) -> None:
        # Names of files may hold bytes that are no text; they come back as they were.
        with open(aside, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            table = csv.writer(file, delimiter="\t", lineterminator="\n")
            table.writerow([*heading, "similarity", "how"])
            for pair in pairs:
                similarity = f"{pair.similarity:.3f}"
                table.writerow([names[pair.first], others[pair.second], similarity, pair.how])

    write_durably(path, write)


def read_exclusion(address: str) -> Exclusion:
    """Read a list.

    Raises:
        UserError: It cannot be read, is no table, or names nothing.
    """
    try:
        text = read_file(address, _MAX_BYTES).decode("utf-8-sig", "surrogateescape")
        table = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
        rows = [row for row in table if row and row[0].strip()]
    except (OSError, csv.Error) as fault:
        reason = getattr(fault, "strerror", None) or fault
        raise UserError(
            f"{address}: not a list that can be read ({reason}): write one name a line"
        ) from fault
    heading = tuple(rows[0][:2]) if rows else ()
    headed = heading in (_INSIDE, _BETWEEN)
    first = frozenset(row[0] for row in rows[headed:])
    second = frozenset(row[1] for row in rows[1:] if len(row) > 1) if headed else first
    if not rows or (not first and not headed):
        raise UserError(f"{address}: names no image: write one name a line")
    return Exclusion(address, first, second | first if heading == _INSIDE else second)


def exclude(dataset: Dataset, names: Collection[str], why: str) -> tuple[Dataset, tuple[str, ...]]:
    """Leave images out of what is trained on, the train and validation parts.

    Args:
        dataset: As stored.
        names: Of images; those that the two parts lack are counted in a note.
        why: The list's address, for the note.

    Returns:
        The rest, and the names that were left out, in the parts' order.

    Raises:
        UserError: Nothing would be left of a part.
    """
    parts, left_out = dict(dataset.parts), list[str]()
    for part in [name for name in ("train", "validation") if name in parts]:
        own = parts[part]
        out = np.array([name in names for name in own.names], bool)
        if out.all():
            raise UserError(
                f"{why} names every {part} image of {dataset.address}: shorten the list"
            )
        if out.any():
            left_out += [own.names[index] for index in np.flatnonzero(out).tolist()]
            parts[part] = Subset([own], np.flatnonzero(~out))
    note = f"{len(left_out):,} images that {why} names"
    if unknown := len(names) - len(left_out):
        note += f"; {unknown:,} of its names are not in what is trained on"
    return replace(dataset, parts=parts, notes={**dataset.notes, "excluded": note}), tuple(left_out)
