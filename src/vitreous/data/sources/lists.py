"""Folders with lists of files: `train800.txt`, `val200.txt`, `test.txt`, as VTAB-1k goes around.

One image a line: its path inside the folder, and the number of its class. Classes are named by
their numbers (`vitreous.data.sources.numbered_classes`). `train800val200.txt`, the first two
together, is not read where they are there, and is the train part where they are not.
"""

import posixpath
from pathlib import Path

import numpy as np

from vitreous.data.sample import PART_NAMES, Dataset
from vitreous.data.sources.encoded import listed_dataset
from vitreous.data.sources.folder import FileStore
from vitreous.data.sources.names import PackedNames
from vitreous.data.sources.numbered_classes import numbered_classes
from vitreous.errors import UserError

_LISTS = {"train": "train800.txt", "validation": "val200.txt", "test": "test.txt"}
_WHOLE = "train800val200.txt"


def is_listed_folder(folder: Path) -> bool:
    """Whether a folder holds at least the list of a train part."""
    return any((folder / name).is_file() for name in (_LISTS["train"], _WHOLE))


def open_lists(folder: Path, address: str) -> Dataset:
    """Open what the lists name; images are named by their path.

    Raises:
        UserError: A line is no path and class number, climbs out, or names an image twice.
    """
    lists = {part: folder / name for part, name in _LISTS.items() if (folder / name).is_file()}
    if "train" not in lists:
        lists["train"] = folder / _WHOLE
    names, labels, part_of = list[str](), list[int](), list[int]()
    for part in PART_NAMES:
        if part in lists:
            for name, label in _rows(lists[part]):
                names.append(name)
                labels.append(label)
                part_of.append(PART_NAMES.index(part))
    if not names:
        raise UserError(f"{address}: its lists are empty: write a path and a class number a line")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{address}: {twice} is listed twice: keep one")
    packed = PackedNames.pack(names)
    class_names, codes = numbered_classes(np.array(labels))
    return listed_dataset(
        address=address,
        names=packed,
        labels=codes,
        part_of=np.array(part_of),
        class_names=class_names,
        store=FileStore(folder.absolute(), packed),
        notes={},
    )


def _rows(path: Path) -> list[tuple[str, int]]:
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as fault:
        raise UserError(f"{path}: not a list that can be read: write it as UTF-8 text") from fault
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, _, label = line.strip().rpartition(" ")
        name = posixpath.normpath(name.strip())
        if not label.isdecimal() or name == ".":
            raise UserError(f"{path}, line {number}: {line!r}: write a path and a class number")
        if name == ".." or name.startswith("../"):
            raise UserError(f"{path}, line {number}: {name} climbs out of the folder: move it in")
        rows.append((name, int(label)))
    return rows
