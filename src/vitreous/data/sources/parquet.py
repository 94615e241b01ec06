"""Parquet files of images, read a row group at a time with a few groups kept.

A file, or a folder of them as Hugging Face's hub has it; parts by a word of the file's or folder's
name (`data/train-00000-of-00004.parquet`). Shuffled reading of a set that is larger than what is
kept reads each group many times: `vitreous data shard` makes a set that is read at random.
"""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
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
from vitreous.data.sources.folder_words import PART_FOLDERS, part_of_words
from vitreous.data.sources.names import PackedNames
from vitreous.errors import UserError, in_one_line

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

# Row groups that are kept, bytes.
_KEPT = 512 * 2**20

# Where a data set of the hub has its files; whole trees are not searched.
_FOLDERS = ("", "data", "default", *PART_FOLDERS, *(f"default/{part}" for part in PART_FOLDERS))


@dataclass(frozen=True)
class RowGroup:
    """A stretch of rows that is read at once.

    Attributes:
        path: The file.
        number: Of the group in the file.
        first: Its first row, counted over all files.
    """

    path: Path
    number: int
    first: int


class ParquetStore:
    """Images in a column of Parquet files.

    Args:
        groups: In the order of their rows.
        column: Of the images.
        rows: Of each image, counted over all files.
    """

    def __init__(
        self, groups: Sequence[RowGroup], column: str, rows: Int64[np.ndarray, " n"]
    ) -> None:
        self.groups, self.column, self.rows = groups, column, rows
        self._kept: OrderedDict[int, pa.ChunkedArray] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["ParquetStore"], tuple[Any, ...]]:
        return ParquetStore, (self.groups, self.column, self.rows)

    def fetch(self, position: int) -> bytes:
        """The whole file of one image (see `Store.fetch`)."""
        row = int(self.rows[position])
        number = bisect_right(self.groups, row, key=lambda group: group.first) - 1
        with self._lock:  # pyarrow's readers are not for several threads
            column = self._read(number)
        data = image_bytes(column[row - self.groups[number].first].as_py())
        check_bytes(len(data))
        return data

    def _read(self, number: int) -> "pa.ChunkedArray":
        """The images of one row group; the groups least recently used make room."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        import pyarrow as pa
        import pyarrow.parquet as pq

        group = self.groups[number]
        try:
            with pq.ParquetFile(group.path, memory_map=True) as file:
                column = file.read_row_group(group.number, [self.column]).column(0)
            column.validate(full=True)
        except (pa.ArrowException, IndexError, MemoryError) as fault:
            raise OSError(f"{group.path.name}: {in_one_line(fault)}") from fault
        self._kept[number] = column
        while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > _KEPT:
            self._kept.popitem(last=False)
        return column


def is_parquet_folder(folder: Path) -> bool:
    """Whether a folder holds Parquet files where a data set has them."""
    return bool(_files(folder))


def open_parquet(path: Path, address: str) -> Dataset:
    """Open a Parquet file or a folder of them; images are named `FILE/ROW`.

    Raises:
        UserError: pyarrow is missing, a file is damaged, the columns are others than said in
            `vitreous.data.sources.arrow_columns`, or files differ in their columns.
    """
    require_pyarrow(address)
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = _files(path) if path.is_dir() else [path]
    columns = None
    groups: list[RowGroup] = []
    labels: list[pa.ChunkedArray] = []
    names: list[PackedNames] = []
    part_of: list[str] = []
    first, size = 0, 0
    notes = {}
    for file in files:
        try:
            with pq.ParquetFile(file) as opened:
                about = opened.metadata
                if not about.num_rows:
                    notes["empty files"] = f"{file.name} has no rows"
                    continue
                found = find_columns(opened.schema_arrow, f"{address}: {file.name}")
                if columns is not None and found != columns:
                    raise UserError(
                        f"{address}: {file.name} has other columns than {files[0].name}: give the "
                        "folder of one data set"
                    )
                columns = found
                part = part_of_words(str(file.relative_to(path) if path.is_dir() else file.name))
                _check_footer(about, file, address)
                read = partial(_column, opened)
                labels.append(found.labels(about.num_rows, read))
                if len(labels[-1]) != about.num_rows:
                    raise OSError(f"{len(labels[-1])} labels for {about.num_rows} rows")
        except (pa.ArrowException, OSError, MemoryError, OverflowError) as fault:
            raise UserError(
                f"{address}: {file.name} is no whole Parquet file ({in_one_line(fault)}): fetch "
                "it again"
            ) from fault
        stem = str(file.relative_to(path).with_suffix("")) if path.is_dir() else file.stem
        names.append(PackedNames.pack(f"{stem}/{row:07d}" for row in range(about.num_rows)))
        part_of.append(part)
        for number in range(about.num_row_groups):
            groups.append(RowGroup(file.absolute(), number, first))
            first += about.row_group(number).num_rows
            size += about.row_group(number).total_byte_size
    if size > _KEPT:
        notes["parquet"] = (
            f"{size / 1e9:.1f} GB are read a row group at a time: `vitreous data shard` makes a "
            "set that is read at random"
        )
    return rows_dataset(
        address,
        columns,
        labels=labels,
        names=names,
        part_of=part_of,
        store=partial(ParquetStore, groups),
        notes=notes,
    )


def _column(file: "pq.ParquetFile", name: str) -> "pa.ChunkedArray":
    return file.read([name]).column(0)


def _check_footer(about: "pq.FileMetaData", file: Path, address: str) -> None:
    """Refuse a footer that claims more than the file can hold, before anything is read by it."""
    size = file.stat().st_size
    rows = [about.row_group(number).num_rows for number in range(about.num_row_groups)]
    if sum(rows) != about.num_rows or min(rows, default=0) < 0 or about.num_rows > size:
        raise UserError(
            f"{address}: {file.name} claims {about.num_rows:,} rows in {len(rows)} groups and has "
            f"{size:,} bytes: fetch it again"
        )


def _files(folder: Path) -> list[Path]:
    return sorted(file for name in _FOLDERS for file in (folder / name).glob("*.parquet"))
