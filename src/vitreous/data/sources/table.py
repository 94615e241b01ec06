"""A table of images and labels: CSV, JSON-lines or JSON; one row an image.

Columns are known by many names (`vitreous.data.sources.table_columns`), labels by many forms
(`table_labels`), files by their path, or by their names in a folder below (`table_files`). Paths
are relative to the table's folder and stay inside it; absolute ones may be anywhere.

With `path2`, `path3`..., or where files are `.npy` or TIFFs of several bands, channels are stacked
(`vitreous.data.sources.channels`). Columns that are not used are told.
"""

import posixpath
from pathlib import Path

import numpy as np

from vitreous.data.reading import UNLABELLED, Reading, ReadingOptions
from vitreous.data.sample import PART_NAMES, Dataset, Labels
from vitreous.data.sources.bands import TIFF_SUFFIXES, count_bands
from vitreous.data.sources.channels import ARRAY_SUFFIX, stacked_dataset
from vitreous.data.sources.encoded import listed_dataset
from vitreous.data.sources.folder import FileStore
from vitreous.data.sources.folder_words import part_of_folder
from vitreous.data.sources.names import PackedNames
from vitreous.data.sources.table_columns import Columns, tell_columns, yes
from vitreous.data.sources.table_files import Files, find_files
from vitreous.data.sources.table_labels import CellLabels, table_labels
from vitreous.data.sources.table_text import Table, read_table
from vitreous.errors import UserError

_NUMBERED_PARTS = {"0": "train", "1": "validation", "2": "test"}


def open_table(path: Path, address: str, options: ReadingOptions | None = None) -> Dataset:
    """Open a .csv, .tsv, .jsonl or .ndjson table; images are named by their path.

    Class names are the labels, sorted, or the columns of zeros and ones in their order. No image
    is touched but for the few that tell grey from colour: a missing one is a bad image when it is
    read.

    Raises:
        UserError: The table is not UTF-8 text of one of these kinds, lacks a column, has two that
            could be the same, or a row has more cells than columns, lacks a value, repeats a path
            or climbs out.
    """
    part = part_of_folder(path.stem)
    return table_dataset(read_table(path, address), path.parent, address, options, part)


def table_dataset(
    table: Table,
    root: Path,
    address: str,
    options: ReadingOptions | None = None,
    part: str | None = None,
) -> Dataset:
    """Make a data set of a table that was read.

    Args:
        table: One row an image.
        root: The folder that its paths start from.
        address: What the user typed.
        options: What the user decided.
        part: What the table's own name speaks of; decides between folders that hold files of the
            same names.

    Raises:
        UserError: As `open_table`.
    """
    options = options or ReadingOptions()
    if not len(table):
        raise UserError(f"{address}: has no rows: write one image a row, as path,label")
    columns = tell_columns(table, options)
    parts, source = _parts(table, columns)
    notes = {}
    if (kept := _labelled_rows(table, columns, parts)) is not None:
        notes["without a label"] = f"ignored {len(table) - len(kept)} rows whose label is empty"
        table, parts = table.take(kept), [parts[row] for row in kept]
    files = [_paths(table, name) for name in (columns.path, *columns.more)]
    _require_once(table, files[0])
    hints = parts if source else [part or ""] * len(table)
    found = find_files(files[0], hints, root.absolute(), address, options)
    _require_once(table, found.names)
    files[0] = found.names
    if not source and (by_folder := _parts_of_paths(found.names, options)) is not None:
        parts, source = by_folder, "the folders in the paths"
    labels = CellLabels([], False, "", doubt=columns.doubt)
    if not columns.doubt:
        labels = table_labels(table, columns, options)
    class_names: tuple[str, ...] = (UNLABELLED,)
    if labels.doubt:
        codes: Labels = np.zeros(len(table), np.int64)
    else:
        class_names, codes = labels.coded()
    if found.missing:
        notes["missing"] = f"{found.missing} of {len(table)} images were not found"
    if columns.unused:
        unused = (f"{name or 'nameless'} ({why})" for name, why in columns.unused.items())
        notes["columns"] = f"not used: {', '.join(unused)}"
    return _dataset(
        table, columns, found, files,
        labels=codes, class_names=class_names, parts=parts, notes=notes, address=address,
        reading=Reading(
            classes=labels.how,
            parts=source,
            groups=f"column {columns.group}" if columns.group else "",
            root=found.how,
            doubt=labels.doubt,
            asks=bool(labels.doubt) and (columns.asks or not columns.doubt),
        ),
    )  # fmt: skip


def _dataset(
    table: Table, columns: Columns, found: Files, files: list[list[str]], *,
    labels: np.ndarray, class_names: tuple[str, ...], parts: list[str], notes: dict[str, str],
    address: str, reading: Reading,
) -> Dataset:  # fmt: skip
    groups: dict[str, str] = {}
    if columns.group is not None:
        texts = table.texts(columns.group)
        groups = {name: text or name for name, text in zip(files[0], texts, strict=True)}
    part_of = np.array([PART_NAMES.index(part) for part in parts])
    if len(files) > 1 or _holds_channels(found.root, files[0]):
        return stacked_dataset(
            address=address,
            root=found.root,
            files=files,
            labels=labels,
            part_of=part_of,
            class_names=class_names,
            notes=notes,
            reading=reading,
            groups=groups,
        )
    names = PackedNames.pack(files[0])
    return listed_dataset(
        address=address,
        names=names,
        labels=labels,
        part_of=part_of,
        class_names=class_names,
        store=FileStore(found.root, names),
        notes=notes,
        reading=reading,
        groups=groups,
    )


def _holds_channels(root: Path, names: list[str]) -> bool:
    """Return whether images are arrays or TIFFs of bands, by names and the first such file."""
    if any(name.endswith(ARRAY_SUFFIX) for name in names):
        return True
    first = next((name for name in names if name.lower().endswith(TIFF_SUFFIXES)), None)
    try:
        return first is not None and count_bands((root / first).read_bytes()) is not None
    except OSError:
        return False


def _parts(table: Table, columns: Columns) -> tuple[list[str], str]:
    """Part of each row, and where the parts come from."""
    if columns.part_flags:
        return _flagged(table, columns), f"column {', '.join(columns.part_flags)}"
    if columns.part is None:
        if any(table.parts):
            return [part or "train" for part in table.parts], "the tables' folders"
        return ["train"] * len(table), ""
    texts = table.texts(columns.part)
    values = sorted(set(texts))
    source = f"column {columns.part}"
    if columns.validates is not None:
        value = columns.validates
        if value not in values:
            raise UserError(
                f"{table.address}: no row has {columns.part}={columns.validates}: it holds "
                f"{', '.join(values[:6])}"
            )
        source += f", {columns.validates} validates"
        return ["validation" if text == value else "train" for text in texts], source
    numbered = all(text.isdecimal() for text in values)
    if numbered and "2" in values and set(values) <= _NUMBERED_PARTS.keys():
        source += " (0 train, 1 val, 2 test)"
        return [_NUMBERED_PARTS[text] for text in texts], source
    if numbered:
        raise UserError(
            f"{table.address}: column {columns.part} holds {', '.join(values[:6])}: say which "
            f"validates, as --split-column {columns.part}={values[0]}, or --split-column none"
        )
    for row, text in enumerate(texts):
        if part_of_folder(text) is None:
            raise UserError(f"{table.place(row)}: unknown part {text!r}: write train, val or test")
    return [str(part_of_folder(text)) for text in texts], source


def _flagged(table: Table, columns: Columns) -> list[str]:
    rank = {"train": 0, "validation": 1, "test": 2}
    parts = ["train"] * len(table)
    for name, (there, else_) in columns.part_flags.items():
        for row, text in enumerate(table.texts(name)):
            part = there if yes(text) else else_
            if rank[part] > rank[parts[row]]:
                parts[row] = part
    return parts


def _labelled_rows(table: Table, columns: Columns, parts: list[str]) -> list[int] | None:
    """The rows to keep where whole parts but train have no labels; None where all rows are kept."""
    if columns.label is None or columns.plural:
        return None
    empty = [not text for text in table.texts(columns.label)]
    bare = {part for part in set(parts) if part != "train"} - {
        part for part, own in zip(parts, empty, strict=True) if not own
    }
    if not bare:
        return None
    return [row for row, part in enumerate(parts) if part not in bare]


def _parts_of_paths(names: list[str], options: ReadingOptions) -> list[str] | None:
    """Parts by folders in the paths, such as train/x.jpg and test/y.jpg; None where they say none.

    Every path has to name one, and they two at least.
    """
    if options.split_column is not None:
        return None
    of_folder: dict[str, str | None] = {}
    for name in names:
        folder = posixpath.dirname(name)
        if folder not in of_folder:
            words = (part_of_folder(word) for word in folder.split("/"))
            of_folder[folder] = next((part for part in words if part), None)
    found = set(of_folder.values())
    if None in found or len(found) < 2 or "train" not in found:
        return None
    return [str(of_folder[posixpath.dirname(name)]) for name in names]


def _paths(table: Table, column: str) -> list[str]:
    """A column of paths, inside the set's folder or absolute."""
    paths = []
    for row, cell in enumerate(table.columns[column]):
        if isinstance(cell, list | dict):
            raise UserError(
                f"{table.place(row)}: {column} {cell!r} is more than one: give one an image"
            )
        text = "" if cell is None else str(cell).strip()
        if not text:
            raise UserError(
                f"{table.place(row)}: the {column} is empty: fill it in, or take the row out"
            )
        path = posixpath.normpath(text.replace("\\", "/"))
        if path == ".." or path.startswith("../"):
            raise UserError(
                f"{table.place(row)}: {path} climbs out of the table's folder: write it as an "
                "absolute path, or move the table"
            )
        folder = table.folders[row] if table.folders and not path.startswith("/") else ""
        paths.append(folder + path)
    return paths


def _require_once(table: Table, names: list[str]) -> None:
    if len(set(names)) == len(names):
        return
    seen = set[str]()
    for row, name in enumerate(names):
        if name in seen:
            raise UserError(
                f"{table.place(row)}: {name} is listed twice: keep one row an image, with several "
                "labels in one cell, as cat;dog"
            )
        seen.add(name)
