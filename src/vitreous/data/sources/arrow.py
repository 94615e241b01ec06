"""Data sets that Hugging Face's `datasets` saved to disk, memory-mapped.

One split (`state.json` and `data-00000-of-00002.arrow`), or folders of splits beside
`dataset_dict.json`. Files are Arrow's stream format; no row is read before it is wanted.
"""

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from vitreous.data.sample import Dataset
from vitreous.data.sources.arrow_columns import (
    find_columns,
    image_bytes,
    require_pyarrow,
    rows_dataset,
)
from vitreous.data.sources.encoded import check_bytes
from vitreous.data.sources.folder_words import part_of_words
from vitreous.data.sources.names import PackedNames
from vitreous.errors import UserError, in_one_line
from vitreous.files import read_json_object

if TYPE_CHECKING:
    import pyarrow as pa


class ArrowStore:
    """Images in a column of memory-mapped Arrow files; a pickled copy maps them again.

    Args:
        paths: The files.
        column: Of the images.
        rows: Of each image, counted over all files.
    """

    def __init__(self, paths: Sequence[Path], column: str, rows: Int64[np.ndarray, " n"]) -> None:
        self.paths, self.column, self.rows = paths, column, rows

    @cached_property
    def images(self) -> "pa.ChunkedArray":
        """The column, over all files."""
        import pyarrow as pa

        tables = [read_stream(path) for path in self.paths]
        return pa.chunked_array(
            [chunk for table in tables for chunk in table.column(self.column).chunks]
        )

    def fetch(self, position: int) -> bytes:
        """The whole file of one image (see `Store.fetch`)."""
        data = image_bytes(self.images[int(self.rows[position])].as_py())
        check_bytes(len(data))
        return data

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "images"}


def is_arrow_folder(folder: Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def open_arrow(folder: Path, address: str) -> Dataset:
    """Open what `save_to_disk` wrote; images are named `SPLIT/ROW`.

    Raises:
        UserError: pyarrow is missing, a file is missing or damaged, or the columns are others than
            said in `vitreous.data.sources.arrow_columns`.
    """
    require_pyarrow(address)
    columns = None
    paths: list[Path] = []
    labels: list[pa.ChunkedArray] = []
    names: list[PackedNames] = []
    part_of: list[str] = []
    notes = {}
    for split, files in _splits(folder, address).items():
        count = 0
        for file in files:
            table = _table(file, address)
            if not table.num_rows:
                continue
            found = find_columns(table.schema, f"{address}: {split}")
            if columns is not None and found != columns:
                raise UserError(f"{address}: {split} has other columns than the other splits")
            columns = found
            paths.append(file.absolute())
            labels.append(found.labels(table.num_rows, table.column))
            count += table.num_rows
        if not count:
            notes["empty splits"] = f"{split} has no rows"
        names.append(PackedNames.pack(f"{split}/{row:07d}" for row in range(count)))
        part_of.append(part_of_words(split))
    return rows_dataset(
        address,
        columns,
        labels=labels,
        names=names,
        part_of=part_of,
        store=partial(ArrowStore, paths),
        notes=notes,
    )


def read_stream(path: Path) -> "pa.Table":
    """Map a file of Arrow's stream format, if every offset in it lies inside its own column.

    Raises:
        pyarrow.ArrowException: It is damaged. Unchecked, reading a row would end the process.
    """
    import pyarrow as pa

    table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
    table.validate(full=True)
    return table


def _table(path: Path, address: str) -> "pa.Table":
    import pyarrow as pa

    try:
        return read_stream(path)
    except (pa.ArrowException, OSError, MemoryError, OverflowError, ValueError) as fault:
        raise UserError(
            f"{address}: {path.name} is no whole Arrow file ({in_one_line(fault)}): save or copy "
            "it again"
        ) from fault


def _splits(folder: Path, address: str) -> dict[str, list[Path]]:
    """Split -> its files."""
    if not (folder / "dataset_dict.json").is_file():
        state = _json(folder / "state.json", address)
        return {str(state.get("_split") or "train"): _files(folder, address)}
    names = _json(folder / "dataset_dict.json", address).get("splits", [])
    if not isinstance(names, list):
        raise UserError(f"{address}: dataset_dict.json has no list of splits: save it again")
    return {name: _files(folder / _plain(name, address), address) for name in names}


def _files(folder: Path, address: str) -> list[Path]:
    listed = _json(folder / "state.json", address).get("_data_files", [])
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise UserError(f"{address}: state.json has no list of _data_files: save it again")
    return [folder / _plain(entry.get("filename"), address) for entry in listed]


def _plain(name: object, address: str) -> str:
    if not isinstance(name, str):
        raise UserError(f"{address}: names a file {name!r}, which is no name: save it again")
    if name != Path(name).name or name == "..":
        raise UserError(f"{address}: names a file {name!r} that is not inside it: save it again")
    return name


def _json(path: Path, address: str) -> dict[str, Any]:
    try:
        return read_json_object(path)
    except (OSError, UserError) as fault:
        raise UserError(
            f"{address}: {path.name} cannot be read ({fault}): save it again"
        ) from fault
