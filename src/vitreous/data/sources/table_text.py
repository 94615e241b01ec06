"""A table as text: CSV with any usual mark between cells, JSON-lines or a JSON list of objects."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from vitreous.errors import UserError

Cell = object
"""A text in CSV; any JSON value in JSON."""

_DELIMITERS = (",", ";", "\t", "|")
_EXCEL = re.compile(r"\ufeff?sep=.\r?\n?$")
_JSON_LINES = (".jsonl", ".ndjson")


@dataclass
class Table:
    """All cells of a table, by column.

    Attributes:
        address: What the user typed, for messages.
        columns: Column -> one cell a row; a missing one is None in JSON and empty in CSV.
        lines: Of each row, the number of its line in the file.
        folders: Of each row, the folder that its path starts from, relative to the set's, with a
            slash at its end; empty where all start from the set's own.
        parts: Of each row, its part, where the table's place says it; else empty.
    """

    address: str
    columns: dict[str, list[Cell]] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    def place(self, row: int) -> str:
        """Return the place of a row, for messages."""
        return f"{self.address}, line {self.lines[row]}"

    def texts(self, column: str) -> list[str]:
        """A column's cells as text, without blanks around."""
        return ["" if cell is None else str(cell).strip() for cell in self.columns[column]]

    def take(self, rows: Sequence[int]) -> "Table":
        """Some of the rows."""

        def some(column: list[Any]) -> list[Any]:
            return [column[row] for row in rows] if column else []

        columns = {name: some(column) for name, column in self.columns.items()}
        lines, folders, parts = some(self.lines), some(self.folders), some(self.parts)
        return Table(self.address, columns, lines, folders, parts)

    def __len__(self) -> int:
        return len(self.lines)


def read_table(path: Path, address: str) -> Table:
    """Read a whole table.

    Raises:
        UserError: It is no UTF-8 text of one of these kinds, a row has more cells than there are
            columns, or two columns have one name.
    """
    try:
        if path.suffix.lower() in _JSON_LINES:
            return _from_rows(_json_rows(path), address)
        return _read_csv(path, address)
    except UserError:
        raise
    except (ValueError, csv.Error, RecursionError) as fault:
        raise UserError(
            f"{address}: not a table that can be read ({fault}): write CSV with a header, or one "
            "JSON object a line, as UTF-8"
        ) from fault


def _read_csv(path: Path, address: str) -> Table:
    table = Table(address)
    with open(path, encoding=_encoding(path), newline="") as file:
        usual = "\t" if path.suffix.lower() == ".tsv" else ","
        start, first, skipped = 0, file.readline(), 0
        while first.startswith("#") or _EXCEL.match(first):  # remarks, and what Excel is told
            start, first, skipped = file.tell(), file.readline(), skipped + 1
        delimiter = _delimiter(first, usual)
        file.seek(start)
        # Spaces after a mark belong to no cell, and a quote behind them opens one.
        reader = csv.reader(file, delimiter=delimiter, strict=True, skipinitialspace=True)
        header = [cell.strip().lstrip("\ufeff") for cell in next(reader, [])]
        while len(header) > 1 and not header[-1]:
            header.pop()
        _check_header(header, address)
        cells: list[list[Cell]] = [[] for _ in header]
        for row in reader:
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if any(cell.strip() for cell in row[len(header) :]):
                raise UserError(
                    f"{path}, line {skipped + reader.line_num}: {len(row)} cells under "
                    f"{len(header)} columns: put a cell that holds {delimiter!r} into quotes"
                )
            table.lines.append(skipped + reader.line_num)
            for column, cell in zip(cells, row + [""] * len(header), strict=False):
                column.append(cell)
    table.columns = dict(zip(header, cells, strict=True))
    return table


def _encoding(path: Path) -> str:
    """UTF-8, or UTF-16 where the file begins with its mark, as spreadsheets write it."""
    with open(path, "rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _delimiter(header: str, usual: str) -> str:
    """The mark that parts most cells of a header; the usual one of several alike."""
    counts = {
        mark: len(next(csv.reader(StringIO(header), delimiter=mark), []))
        for mark in (usual, *_DELIMITERS)
    }
    return max(counts, key=lambda mark: counts[mark])


def _check_header(header: list[str], address: str) -> None:
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        called = f"called {twice!r}" if twice else "without a name"
        raise UserError(f"{address}: two columns are {called}: give each a name of its own")


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Cell]]]:
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise UserError(f"{path}, line {number}: not a JSON object: write one a line")
                yield number, row


def _from_rows(rows: Iterator[tuple[int, dict[str, Cell]]], address: str) -> Table:
    table = Table(address)
    for number, row in rows:
        for name in row:
            if name.strip() not in table.columns:
                table.columns[name.strip()] = [None] * len(table.lines)
        own = {name.strip(): cell for name, cell in row.items()}
        for name, column in table.columns.items():
            column.append(own.get(name))
        table.lines.append(number)
    return table


def table_of(rows: list[dict[str, Cell]], address: str) -> Table:
    """A table of rows that lie in memory; they count as lines 1, 2...."""
    return _from_rows(iter(enumerate(rows, 1)), address)


def join(tables: Sequence[tuple[Table, str, str]], address: str) -> Table:
    """One table of several.

    Args:
        tables: Each with the folder that its paths start from (with a slash at its end) and its
            part.
        address: What the user typed.
    """
    whole = Table(address)
    for table, folder, part in tables:
        before, own = len(whole), len(table)
        for name in [*whole.columns, *table.columns]:
            whole.columns.setdefault(name, [None] * before)
        for name, column in whole.columns.items():
            if len(column) == before:
                column += table.columns.get(name, [None] * own)
        whole.lines += table.lines
        whole.folders += [folder] * own
        whole.parts += [part] * own
    return whole


def spelt(column: str) -> str:
    """A column's name in small letters, its words joined by `_`: `Image Index` is image_index."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
