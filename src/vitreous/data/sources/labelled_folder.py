"""A folder with whatever says its labels: class folders, or tables that lie in it.

Class folders are believed first. Where there are none, tables at the top or in the part folders are
read: Hugging Face's `metadata.csv` and `.jsonl`, Roboflow's `_classes.csv`, COCO's
`_annotations.coco.json`, and tables as Kaggle gives them (`train.csv` beside `train/`).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from posixpath import basename, splitext

from vitreous.data.reading import TABLE_OPTIONS, ReadingOptions, option
from vitreous.data.sample import Dataset
from vitreous.data.sources.encoded import MAX_BYTES
from vitreous.data.sources.exports import read_json
from vitreous.data.sources.folder import list_folder, tree_dataset
from vitreous.data.sources.folder_words import SYSTEM_FOLDERS, part_of_folder, words_of
from vitreous.data.sources.table import table_dataset
from vitreous.data.sources.table_columns import tell_columns
from vitreous.data.sources.table_text import Table, join, read_table
from vitreous.data.sources.tree import IMAGE_SUFFIXES, class_tree
from vitreous.errors import UserError

_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
# Tables that stand for their folder's images wherever they lie.
_SIDECARS = ("metadata.csv", "metadata.jsonl", "_classes.csv", "_annotations.coco.json")
_NO_LABELS = frozenset(("submission", "sample", "sampling"))
_DEPTH = 3


def open_labelled_folder(
    root: Path, address: str, options: ReadingOptions | None = None
) -> Dataset:
    """Open a folder by its class folders, or else by the tables in it.

    Raises:
        UserError: Class folders and tables both label the images, several tables could, or as
            `open_folder` and `open_table`.
    """
    options = options or ReadingOptions()
    of_tables = [name for name in TABLE_OPTIONS if name in options.given]
    if of_tables and options.layout == "auto":
        options = replace(options, layout="table")
    files = list_folder(root, address)
    places = [] if options.layout in ("classes", "leaf", "parts", "flat") else _tables(files)
    if options.label_from_name is not None and options.layout != "table":
        places = []
    holds_images = any(splitext(name)[1].lower() in IMAGE_SUFFIXES for name in files)
    if options.layout == "table" or not holds_images:
        if not places and holds_images:
            why = option(of_tables[0]) if of_tables else "--layout table"
            raise UserError(f"{address}: {why} is for tables and there is none in it: leave it out")
        if places:
            return _open_tables(root, places, files, address, options)
    tree = class_tree(files, address, options)
    sidecars = [place for place in places if basename(place).lower() in _SIDECARS]
    if not tree.reading.doubt:
        if sidecars and _labels(root, sidecars, options):
            raise UserError(
                f"{address}: its folders and {sidecars[0]} both give labels: --layout classes "
                "takes the folders, --layout table the table"
            )
        return tree_dataset(root, tree, address)
    found = _labels(root, sidecars, options) or _labels(root, places, options)
    if found:
        return _open_tables(root, found, files, address, options)
    if places:
        words = f"{tree.reading.doubt}; {', '.join(places[:3])} there has no column of labels"
        tree = replace(tree, reading=replace(tree.reading, doubt=words))
    return tree_dataset(root, tree, address)


def _tables(files: Sequence[str]) -> list[str]:
    """Paths of the tables at the top and in folders near it."""
    found = []
    for name in files:
        if not name[-8:].lower().endswith(_SUFFIXES) or name.count("/") > _DEPTH:
            continue
        *folders, base = name.split("/")
        hidden = any(word in SYSTEM_FOLDERS or word.startswith(".") for word in name.split("/"))
        if not hidden and not set(words_of(base)) & _NO_LABELS:
            in_parts = all(part_of_folder(word) for word in folders)
            if in_parts or base.lower() in _SIDECARS or len(folders) <= 1:
                found.append(name)
    return sorted(found, key=lambda name: (name.count("/"), name))


def _labels(root: Path, places: Sequence[str], options: ReadingOptions) -> list[str]:
    """Return those of some tables that have paths and labels."""
    found = []
    for place in places:
        try:
            if (root / place).stat().st_size > MAX_BYTES:
                continue
            table = _read(root / place, place)
            columns = tell_columns(table, options)
        except (UserError, OSError):
            continue
        if len(table) and (columns.label or columns.flags or columns.asks):
            found.append(place)
    return found


def _read(path: Path, address: str) -> Table:
    return read_json(path, address) if path.suffix.lower() == ".json" else read_table(path, address)


def _open_tables(
    root: Path, places: Sequence[str], files: Sequence[str], address: str, options: ReadingOptions
) -> Dataset:
    """Read one table, or one a part."""
    top = min(place.count("/") for place in places)
    chosen = [place for place in places if place.count("/") == top]
    if len(chosen) == 1:
        place = chosen[0]
        table = _read(root / place, f"{address}: {place}")
        dataset = table_dataset(table, root / _folder(place), address, options, _part(place))
        return _said(dataset, [place], files)
    parts = {place: _part(place) for place in chosen}
    named = [part for part in parts.values() if part is not None]
    if len(set(named)) < len(chosen):
        raise UserError(
            f"{address}: {' and '.join(chosen[:3])} could each give its labels: give one of them "
            f"as DATA, such as {Path(address) / chosen[0]}"
        )
    tables = [
        (_read(root / place, f"{address}: {place}"), _folder(place), str(parts[place]))
        for place in chosen
    ]
    return _said(table_dataset(join(tables, address), root, address, options), chosen, files)


def _part(place: str) -> str | None:
    """The part that a table's folder, or else its own name, speaks of."""
    *folders, base = place.split("/")
    of = next((part for word in folders if (part := part_of_folder(word))), None)
    return of or part_of_folder(splitext(base)[0])


def _folder(place: str) -> str:
    folder = place.rpartition("/")[0]
    return f"{folder}/" if folder else ""


def _said(dataset: Dataset, places: Sequence[str], files: Sequence[str]) -> Dataset:
    """The data set, with the tables that it was read from, and how many images they leave out."""
    reading, notes = dataset.reading, dict(dataset.notes)
    used = sum(len(part.labels) for part in dataset.parts.values())
    there = sum(splitext(name)[1].lower() in IMAGE_SUFFIXES for name in files)
    if there > used:
        notes["unnamed"] = f"ignored {there - used} images that no table names"
    classes = f"{reading.classes} of {', '.join(places)}" if reading.classes else ""
    return replace(dataset, reading=replace(reading, classes=classes), notes=notes)
