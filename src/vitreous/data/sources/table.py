"""A table of images and labels: CSV with a header, or JSON-lines; one row an image.

Columns, under any of these names in any case: `path` (file, filename, file_name, image), labels,
and where wanted `part` (split: train, val or test, as for folders). Paths are relative to the
table's folder and stay inside it; absolute ones may be anywhere. Labels are in one of three forms:

* `label` (class, target): one name; numbers become names too.
* `labels`: any number of names, as "cat;dog", "cat|dog" or a JSON list; an empty cell is none.
* one column a class, of zeros and ones: every column but those above whose first cell is 0 or 1.

With `path2`, `path3`..., or where files are `.npy` or TIFFs of several bands, channels are stacked
(`vitreous.data.sources.channels`). Other columns are left alone.
"""

import csv
import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vitreous.data.sample import PART_NAMES, Dataset, Labels
from vitreous.data.sources.bands import TIFF_SUFFIXES, count_bands
from vitreous.data.sources.channels import ARRAY_SUFFIX, stacked_dataset
from vitreous.data.sources.encoded import listed_dataset
from vitreous.data.sources.folder import FileStore
from vitreous.data.sources.names import PackedNames
from vitreous.data.sources.tree import PART_FOLDERS
from vitreous.errors import UserError

_COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "image"),
    "label": ("label", "class", "target"),
    "part": ("part", "split"),
}
_SEVERAL = "labels"
_MORE_PATHS = re.compile(r"path([2-9]|[1-9]\d+)")
_BITS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
_KNOWN = {name for names in _COLUMNS.values() for name in names} | {_SEVERAL}

# One row: the number of its line in the file, and its cells by their column's name.
_Row = tuple[int, dict[str, object]]


@dataclass
class _Listing:
    """Columns of what was read, a row an image."""

    files: list[list[str]]
    flags: tuple[str, ...] = ()
    several: bool = False
    parts: list[int] = field(default_factory=list)
    words: list[tuple[str, ...]] = field(default_factory=list)

    def labels(self) -> tuple[tuple[str, ...], Labels]:
        """Class names, and class indices or multi-hot rows."""
        names = self.flags or tuple(sorted({word for words in self.words for word in words}))
        place = {name: number for number, name in enumerate(names)}
        if not self.several:
            return names, np.array([place[words[0]] for words in self.words], np.int64)
        rows = np.zeros((len(self.words), len(names)), np.uint8)
        for row, words in zip(rows, self.words, strict=True):
            row[[place[word] for word in words]] = 1
        return names, rows


def open_table(path: Path, address: str) -> Dataset:
    """Open a .csv, .tsv, .jsonl or .ndjson table; images are named by their path in it.

    Class names are the labels, sorted, or the columns of zeros and ones in their order. No image
    is touched but for the few that tell grey from colour: a missing one is a bad image when it is
    read.

    Raises:
        UserError: The table is not UTF-8 text of one of these kinds, lacks a column, or a row
            has more cells than columns, lacks a value, repeats a path, climbs out, or has several
            labels where one is said.
    """
    try:
        listing = _listing(path, address)
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as fault:
        raise UserError(
            f"{address}: not a table that can be read ({fault}): write CSV with a header, or one "
            "JSON object a line, as UTF-8"
        ) from fault
    if not listing.words:
        raise UserError(f"{address}: has no rows: write one image a row, as path,label")
    class_names, labels = listing.labels()
    if not class_names:
        raise UserError(f"{address}: no row has a label: fill the labels column in")
    root, part_of = path.parent.absolute(), np.array(listing.parts)
    if len(listing.files) > 1 or _holds_channels(root, listing.files[0]):
        return stacked_dataset(
            address=address,
            root=root,
            files=listing.files,
            labels=labels,
            part_of=part_of,
            class_names=class_names,
            notes={},
        )
    names = PackedNames.pack(listing.files[0])
    return listed_dataset(
        address=address,
        names=names,
        labels=labels,
        part_of=part_of,
        class_names=class_names,
        store=FileStore(root, names),
        notes={},
    )


def _holds_channels(root: Path, names: list[str]) -> bool:
    """Whether images are arrays or TIFFs of bands, by their names and the first file of such."""
    if any(name.endswith(ARRAY_SUFFIX) for name in names):
        return True
    first = next((name for name in names if name.lower().endswith(TIFF_SUFFIXES)), None)
    try:
        return first is not None and count_bands((root / first).read_bytes()) is not None
    except OSError:
        return False


def _listing(path: Path, address: str) -> _Listing:
    listing = _Listing([[]])
    more: list[str] = []
    seen = set()
    for line, row in _rows(path):
        place = f"{address}, line {line}"
        if not listing.words:
            more = sorted((name for name in row if _MORE_PATHS.fullmatch(name)), key=_number)
            listing.files += [[] for _ in more]
            listing.flags = () if _SEVERAL in row or _has(row, "label") else _flags(row)
            listing.several = _SEVERAL in row or bool(listing.flags)
        name = _contained(_cell(row, "path", place), place)
        if name in seen:
            raise UserError(f"{place}: {name} is listed twice: keep one")
        seen.add(name)
        listing.files[0].append(name)
        for column, own in zip(more, listing.files[1:], strict=True):
            own.append(_contained(_text(row.get(column), column, place), place))
        listing.parts.append(PART_NAMES.index(_part(row, place)))
        listing.words.append(_words(row, listing, place))
    return listing


def _words(row: dict[str, object], listing: _Listing, place: str) -> tuple[str, ...]:
    """The labels of a row."""
    if listing.flags:
        return tuple(name for name in listing.flags if _flag(row.get(name), name, place))
    if not listing.several:
        return (_cell(row, "label", place),)
    value = row.get(_SEVERAL)
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = json.loads(value)
    if isinstance(value, list):
        words = [str(word).strip() for word in value]
    else:
        words = [] if value is None else re.split(r"[;|]", str(value))
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def _flags(row: dict[str, object]) -> tuple[str, ...]:
    """Columns of zeros and ones, by the first row; one alone is no data set of several."""
    flags = tuple(
        name
        for name, value in row.items()
        if name not in _KNOWN and not _MORE_PATHS.fullmatch(name) and _bit(value) is not None
    )
    return flags if len(flags) > 1 else ()


def _flag(value: object, column: str, place: str) -> bool:
    bit = _bit(value)
    if bit is None:
        raise UserError(f"{place}: {column} is {value!r}: a column of a class holds 0 or 1")
    return bit


def _bit(value: object) -> bool | None:
    """A cell of zeros and ones; None for any other."""
    text = str(value).strip().lower()
    return {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}.get(
        text
    )


def _number(column: str) -> int:
    return int(column.removeprefix("path"))


def _rows(path: Path) -> Iterator[_Row]:
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return _json_rows(path)
    return _csv_rows(path)


def _csv_rows(path: Path) -> Iterator[_Row]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = [_spelt(cell) for cell in next(reader, [])]
        for cells in reader:
            if cells:
                if any(cell.strip() for cell in cells[len(header) :]):
                    raise UserError(
                        f"{path}, line {reader.line_num}: {len(cells)} cells under {len(header)} "
                        f"columns: put a cell that holds {delimiter!r} into quotes"
                    )
                row = dict(zip(header, cells + [""] * len(header), strict=False))
                yield reader.line_num, dict[str, object](row)


def _json_rows(path: Path) -> Iterator[_Row]:
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise UserError(f"{path}, line {number}: not a JSON object: write one a line")
                yield number, {_spelt(str(key)): value for key, value in row.items()}


def _spelt(column: str) -> str:
    """A column's name: those that are known in small letters, others as they stand."""
    column = column.strip()
    low = column.lower()
    return low if low in _KNOWN or _MORE_PATHS.fullmatch(low) else column


def _has(row: dict[str, object], column: str) -> bool:
    return any(name in row for name in _COLUMNS[column])


def _part(row: dict[str, object], place: str) -> str:
    if not _has(row, "part"):
        return "train"
    spelt = _cell(row, "part", place)
    if spelt.lower() not in PART_FOLDERS:
        raise UserError(f"{place}: unknown part {spelt!r}: write train, val or test")
    return PART_FOLDERS[spelt.lower()]


def _cell(row: dict[str, object], column: str, place: str) -> str:
    names = _COLUMNS[column]
    found = [name for name in names if name in row]
    if not found:
        raise UserError(
            f"{place}: no {column} among {', '.join(row) or 'no columns'}: name a column "
            f"{' or '.join(names)}"
        )
    value = row[found[0]]
    if column == "label" and (isinstance(value, list) or _holds_several(value)):
        raise UserError(
            f"{place}: {column} {value!r} is more than one: give one label an image, or name the "
            f"column {_SEVERAL}"
        )
    return _text(value, column, place)


def _text(value: object, column: str, place: str) -> str:
    if isinstance(value, list | dict):
        raise UserError(f"{place}: {column} {value!r} is more than one: give one {column} an image")
    text = "" if value is None else str(value).strip()
    if not text:
        raise UserError(f"{place}: the {column} is empty: fill it in, or take the row out")
    return text


def _holds_several(value: object) -> bool:
    return isinstance(value, str) and any(mark in value for mark in ";|")


def _contained(path: str, place: str) -> str:
    path = posixpath.normpath(path.replace("\\", "/"))
    if path == ".." or path.startswith("../"):
        raise UserError(
            f"{place}: {path} climbs out of the table's folder: write it as an absolute path, or "
            "move the table"
        )
    return path
