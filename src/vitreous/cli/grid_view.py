"""A published table in the terminal: models across, data sets down, own values beside their twins.

A grid wider than the terminal is cut into blocks of models, each with the names of the lines.
"""

import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from vitreous.experiments.paper_grid import ABSENT, PaperGrid

_GAP = 2  # letters between columns
_NAME = 12  # letters of a checkpoint's name in a line of its heading
_PIPED = (100, 24)  # columns and lines where the output is no terminal


@dataclass(frozen=True, kw_only=True)
class Own:
    """One measured checkpoint.

    Attributes:
        name: Of the checkpoint.
        texts: Its values as they are printed, by line.
        twin: The published row that it stands beside; None puts it into a block of its own.
    """

    name: str
    texts: Mapping[str, str] = field(default_factory=dict)
    twin: str | None = None


class _Column(NamedTuple):
    heading: Sequence[str]
    cells: Sequence[str]

    @property
    def width(self) -> int:
        return max(map(len, (*self.heading, *self.cells)), default=0)


# A published column and the own ones that belong beside it.
_Unit = list[_Column]


def grid_lines(
    grid: PaperGrid,
    own: Sequence[Own] = (),
    more: Mapping[str, str] | None = None,
    room: int | None = None,
) -> Iterator[str]:
    """Lay a published table out.

    Args:
        grid: The table.
        own: Measured checkpoints.
        more: Labels of lines that only own checkpoints have.
        room: Letters a line; those of the terminal where not given, 100 in a pipe.

    Yields:
        Lines without their ends, none longer than `room` where a published column and an own one
        fit beside the names of the lines.
    """
    room = room or terminal_width()
    first = True
    for title, rows, beside in _blocks(grid, own):
        labels = {**grid.lines, **(more or {})} if beside else grid.lines
        if not rows:  # nothing published says that a line is there
            used = {line for one in beside for line in one.texts}
            labels = {line: label for line, label in labels.items() if line in used}
        names = _Column((), list(labels.values()))
        units = [
            [_published(grid, row, heading, labels), *_owned(beside, row, labels)]
            for row, heading in rows.items()
        ]
        units += [[column] for column in _owned(beside, None, labels)]
        for place, chunk in enumerate(_chunks(units, room - names.width)):
            if not first:
                yield ""
            first = False
            if title:
                yield title if place == 0 else f"{title}, continued"
            yield from _laid(names, chunk)
    for note in grid.notes:
        yield ""
        yield from textwrap.wrap(note, room, break_on_hyphens=False)


def terminal_width() -> int:
    """Letters a line; 100 in a pipe."""
    return shutil.get_terminal_size(_PIPED).columns


def _blocks(
    grid: PaperGrid, own: Sequence[Own]
) -> Iterator[tuple[str, Mapping[str, Sequence[str]], Sequence[Own]]]:
    """The title, the published models and the own ones of each block."""
    for block in grid.blocks:
        beside = [one for one in own if one.twin in block.headings]
        yield block.title, block.headings, beside
    if alone := [one for one in own if one.twin is None]:
        yield "here, without a published row", {}, alone


def _published(
    grid: PaperGrid, row: str, heading: Sequence[str], labels: Mapping[str, str]
) -> _Column:
    cells = [grid.printed.get((row, line), ABSENT if line in grid.lines else "") for line in labels]
    return _Column(heading, cells)


def _owned(own: Sequence[Own], twin: str | None, labels: Mapping[str, str]) -> list[_Column]:
    return [
        _Column(
            ("here:", *_wrapped(one.name)),
            [one.texts.get(line, "") for line in labels],
        )
        for one in own
        if one.twin == twin
    ]


def _wrapped(name: str) -> list[str]:
    """A checkpoint's name in short lines, cut behind signs where there are any."""
    lines = [""]
    for piece in re.findall(r"[^-_./+ ]*[-_./+ ]|[^-_./+ ]+", name):
        if lines[-1] and len(lines[-1] + piece) > _NAME:
            lines.append("")
        lines[-1] += piece
    return [line[place : place + _NAME] for line in lines for place in range(0, len(line), _NAME)]


def _chunks(units: Sequence[_Unit], room: int) -> list[_Unit]:
    """Columns line by line of blocks, as alike in width as the fewest blocks allow."""
    fitting = [piece for unit in units for piece in _pieces(unit, room)]
    chunks = _packed(fitting, room)
    while room > 1 and len(tighter := _packed(fitting, room - 1)) == len(chunks):
        chunks, room = tighter, room - 1
    return chunks


def _pieces(unit: _Unit, room: int) -> Iterator[_Unit]:
    """Own columns that do not fit beside their twin come in a next block, beside it again."""
    first, *others = unit
    piece = [first]
    for column in others:
        if len(piece) > 1 and _width([*piece, column]) > room:
            yield piece
            piece = [first]
        piece.append(column)
    yield piece


def _packed(units: Sequence[_Unit], room: int) -> list[_Unit]:
    chunks: list[_Unit] = []
    for unit in units:
        if chunks and _width([*chunks[-1], *unit]) <= room:
            chunks[-1] = [*chunks[-1], *unit]
        else:
            chunks.append(list(unit))
    return chunks


def _width(columns: Sequence[_Column]) -> int:
    return sum(column.width + _GAP for column in columns)


def _laid(names: _Column, columns: Sequence[_Column]) -> Iterator[str]:
    """Headings stand on their values; names to the left, numbers to the right."""
    height = max((len(column.heading) for column in columns), default=0)
    filled = [
        ([""] * (height - len(column.heading)) + [*column.heading, *column.cells], column.width)
        for column in columns
    ]
    for place, name in enumerate([""] * height + list(names.cells)):
        texts = (text[place].rjust(width + _GAP) for text, width in filled)
        yield (name.ljust(names.width) + "".join(texts)).rstrip()
