"""Tables of images as Hugging Face writes them: which column is what, and its labels.

The image column holds image files, as bytes or as {bytes, path}. The label column holds class
indices, whose names are in the metadata (`ClassLabel`), or words; lists of either are several
labels an image. Rows without a label (null or -1) are left out and counted.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64

from vitreous.data.reading import UNLABELLED, Reading
from vitreous.data.sample import PART_NAMES, Dataset, Labels
from vitreous.data.sources.encoded import Store, listed_dataset
from vitreous.data.sources.names import PackedNames
from vitreous.data.sources.numbered_classes import MOST_NUMBERED, numbered_classes
from vitreous.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

_IMAGES = ("image", "img", "jpg", "jpeg", "png", "webp", "picture", "photo", "bytes", "content")
_LABELS = ("label", "labels", "class", "target", "cls", "category", "fine_label", "class_name")


@dataclass(frozen=True)
class Columns:
    """The roles of the columns of a table.

    Attributes:
        image: The column of image files.
        label: The column of labels; None where there is none.
        class_names: In label order, where the metadata has them.
        several: Whether a row has a list of labels.
        doubt: Why there are no labels; empty where there are.
    """

    image: str
    label: str | None
    class_names: tuple[str, ...] | None
    several: bool
    doubt: str = ""

    def labels(self, rows: int, read: Callable[[str], "pa.ChunkedArray"]) -> "pa.ChunkedArray":
        """The label column of a table of so many rows; nulls where there is none."""
        import pyarrow as pa

        if self.label is None:
            return pa.chunked_array([pa.nulls(rows, pa.int64())])
        return read(self.label)


def require_pyarrow(address: str) -> None:
    """Refuse where pyarrow is not installed, with the line that installs it."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as fault:
        raise UserError(
            f"{address}: reading it needs pyarrow: pip install 'vitreous[parquet]'"
        ) from fault


def find_columns(schema: "pa.Schema", address: str) -> Columns:
    """Tell the columns by their types and names.

    Raises:
        UserError: There is no image column, or several columns might be the image or the label.
    """
    import pyarrow as pa

    holds_files = [field.name for field in schema if _holds_files(field.type)]
    image = _one_of(holds_files, _IMAGES, "image", schema, address)
    features = _features(schema)
    named = [name for name, feature in features.items() if _class_label(feature) is not None]
    others = [field.name for field in schema if field.name != image]
    found = [name for name in _LABELS if name in others] or named
    if not found:
        columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
        doubt = f"no label column among {columns}: name the label column label"
        return Columns(image, None, None, False, doubt)
    label = _one_of(found, _LABELS, "label", schema, address)
    names = _class_label(features.get(label))
    kind = schema.field(label).type
    several = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    value = kind.value_type if several else kind
    if not (_is_text(value) or pa.types.is_integer(value) or pa.types.is_boolean(value)):
        raise UserError(f"{address}: column {label} is {kind}: labels are integers or strings")
    return Columns(image, label, names, several)


def table_labels(
    columns: Columns, tables: Iterable["pa.ChunkedArray"], address: str
) -> tuple[tuple[str, ...], Labels, Bool[np.ndarray, " n"]]:
    """Labels of the rows of several tables, one after the other.

    Args:
        columns: Of the tables.
        tables: The label column of each.
        address: What the user typed.

    Returns:
        Class names; class indices or multi-hot rows; and whether each row has a label (rows that
        have none hold zeros).

    Raises:
        UserError: A label is not among the class names.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pa.chunked_array([chunk for table in tables for chunk in table.chunks])
    known = ~column.is_null().to_numpy().astype(bool)
    counts = None
    if columns.several:
        counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
        column = pc.list_flatten(column)
    codes, class_names = _codes(column, columns.class_names)
    if codes.size and (most := int(codes.max())) >= len(class_names):
        raise UserError(
            f"{address}: column {columns.label} holds {most}, and its metadata names "
            f"{len(class_names)} classes: repair one of them"
        )
    if counts is None:
        return class_names, np.maximum(codes, 0), known & (codes >= 0)
    labels = np.zeros((len(counts), len(class_names)), np.uint8)
    rows = np.repeat(np.arange(len(counts)), counts)
    labels[rows[codes >= 0], codes[codes >= 0]] = 1
    return class_names, labels, known


def rows_dataset(
    address: str,
    columns: Columns | None,
    *,
    labels: Sequence["pa.ChunkedArray"],
    names: Sequence[PackedNames],
    part_of: Sequence[str],
    store: Callable[[str, Int64[np.ndarray, " n"]], Store],
    notes: Mapping[str, str],
) -> Dataset:
    """Make a data set of several tables, one after the other.

    Args:
        address: What the user typed.
        columns: Of all tables.
        labels: The label column of each.
        names: Of each table's rows.
        part_of: The part of each.
        store: Makes the store of an image column and the rows that are used, counted over all.
        notes: What the user should know.

    Raises:
        UserError: There are no rows, none has a label, or a label is not among the class names.
    """
    total = sum(map(len, names))
    if columns is None or not total:
        raise UserError(f"{address}: has no rows: write or fetch it again")
    class_names: tuple[str, ...] = (UNLABELLED,)
    if columns.label is None:
        own, known = np.zeros(total, np.int64), np.ones(total, bool)
    else:
        class_names, own, known = table_labels(columns, labels, address)
    rows = np.flatnonzero(known)
    if not len(rows):
        raise UserError(f"{address}: none of its {total} images has a label: add a label column")
    if len(rows) < total:
        notes = {**notes, "without a label": f"left out {total - len(rows)} of {total} images"}
    numbers = np.array([PART_NAMES.index(part) for part in part_of], np.int64)
    return listed_dataset(
        address=address,
        names=PackedNames.join(names).take(rows),
        labels=own[rows],
        part_of=np.repeat(numbers, [len(own) for own in names])[rows],
        class_names=class_names,
        store=store(columns.image, rows),
        notes=notes,
        reading=Reading(
            classes="" if columns.label is None else f"column {columns.label}",
            doubt=columns.doubt,
        ),
    )


def image_bytes(value: Any) -> bytes:
    """The file in a cell of an image column.

    Raises:
        OSError: The cell is empty, or holds a path only.
    """
    held = value["bytes"] if isinstance(value, dict) else value
    if held is None:
        path = value.get("path") if isinstance(value, dict) else None
        raise OSError(f"the table holds a path ({path}) and no bytes" if path else "an empty cell")
    data: bytes = held
    return data


def _codes(
    column: "pa.ChunkedArray", names: tuple[str, ...] | None
) -> tuple[Int64[np.ndarray, " n"], tuple[str, ...]]:
    """Class index of each value, -1 for none; and class names."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _is_text(column.type):
        largest = int(pc.max(column).as_py() or 0)
        if names is None and largest >= MOST_NUMBERED:
            present = pc.if_else(pc.less(column, 0), None, column)
            return _codes(pc.cast(present, pa.string()), None)
        codes = pc.fill_null(pc.cast(column, pa.int64()), -1).to_numpy()
        return codes, names or numbered_classes(codes)[0]
    words = sorted(word for word in pc.unique(column).to_pylist() if word is not None)
    place = pc.index_in(column, pa.array(words, column.type))
    return pc.fill_null(place, -1).to_numpy().astype(np.int64), tuple(words)


def _holds_files(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _is_binary(field.type) for field in kind)
    return _is_binary(kind)


def _is_binary(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _features(schema: "pa.Schema") -> Mapping[str, Any]:
    """What Hugging Face's `datasets` wrote of the columns."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _class_label(feature: Any) -> tuple[str, ...] | None:
    """Class names of a feature, also where it lies in a list."""
    while isinstance(feature, dict) and isinstance(feature.get("feature"), dict):
        feature = feature["feature"]
    if isinstance(feature, list) and feature:
        feature = feature[0]
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return None
    names = feature.get("names")
    return tuple(map(str, names)) if isinstance(names, list) and names else None


def _one_of(
    found: Sequence[str], usual: Sequence[str], what: str, schema: "pa.Schema", address: str
) -> str:
    chosen = next((name for name in usual if name in found), None)
    if chosen is None and len(found) == 1:
        chosen = found[0]
    if chosen is None:
        columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
        raise UserError(
            f"{address}: no {what} column among {columns}: name the {what} column {usual[0]}"
        )
    return chosen
