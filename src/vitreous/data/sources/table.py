"""A table of images and labels: CSV with a header, or JSON-lines; one row an image.

Columns, under any of these names in any case: `path` (file, filename, file_name, image), `label`
(class, target) and, where wanted, `part` (split: train, val or test, as for folders). Others are
left alone. Paths are relative to the table's folder and stay inside it; absolute ones may be
anywhere. Labels are names; numbers become names too.
"""

import csv
import json
import posixpath
from collections.abc import Iterator
from pathlib import Path

from vitreous.data.sample import Dataset
from vitreous.data.sources.encoded import Entry, encoded_dataset
from vitreous.data.sources.folder import FileStore
from vitreous.data.sources.tree import PART_FOLDERS
from vitreous.errors import UserError

_COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "image"),
    "label": ("label", "class", "target"),
    "part": ("part", "split"),
}

# One row: the number of its line in the file, and its cells by their column's name.
_Row = tuple[int, dict[str, object]]


def open_table(path: Path, address: str) -> Dataset:
    """Open a .csv, .tsv, .jsonl or .ndjson table; images are named by their path in it.

    Class names are the labels, sorted. No image is touched but for the few that tell grey from
    colour: a missing one is a bad image when it is read.

    Raises:
        UserError: The table is not UTF-8 text of one of these kinds, lacks a column, or a row
            lacks a value, repeats a path, climbs out, or has several labels.
    """
    entries: dict[str, Entry] = {}
    try:
        for line, row in _rows(path):
            entry = _entry(row, f"{address}, line {line}")
            if entry.name in entries:
                raise UserError(f"{address}, line {line}: {entry.name} is listed twice: keep one")
            entries[entry.name] = entry
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as fault:
        raise UserError(
            f"{address}: not a table that can be read ({fault}): write CSV with a header, or one "
            "JSON object a line, as UTF-8"
        ) from fault
    if not entries:
        raise UserError(f"{address}: has no rows: write one image a row, as path,label")
    store = FileStore(path.parent.absolute(), list(entries))
    return encoded_dataset(address, list(entries.values()), store, {})


def _rows(path: Path) -> Iterator[_Row]:
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return _json_rows(path)
    return _csv_rows(path)


def _csv_rows(path: Path) -> Iterator[_Row]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = [cell.strip().lower() for cell in next(reader, [])]
        for cells in reader:
            if cells:
                row = dict(zip(header, cells + [""] * len(header), strict=False))
                yield reader.line_num, dict[str, object](row)


def _json_rows(path: Path) -> Iterator[_Row]:
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise UserError(f"{path}, line {number}: not a JSON object: write one a line")
                yield number, {str(key).lower(): value for key, value in row.items()}


def _entry(row: dict[str, object], place: str) -> Entry:
    path = _cell(row, "path", place)
    label = _cell(row, "label", place)
    part = "train"
    if any(name in row for name in _COLUMNS["part"]):
        spelt = _cell(row, "part", place)
        if spelt.lower() not in PART_FOLDERS:
            raise UserError(f"{place}: unknown part {spelt!r}: write train, val or test")
        part = PART_FOLDERS[spelt.lower()]
    return Entry(_contained(path, place), part, label)


def _cell(row: dict[str, object], column: str, place: str) -> str:
    names = _COLUMNS[column]
    found = [name for name in names if name in row]
    if not found:
        raise UserError(
            f"{place}: no {column} among {', '.join(row) or 'no columns'}: name a column "
            f"{' or '.join(names)}"
        )
    value = row[found[0]]
    if isinstance(value, list | dict) or (column == "label" and _holds_several(value)):
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
