"""JSON of annotation tools as a table: COCO, Label Studio, and plain lists of objects.

* COCO: `images`, `annotations` and `categories`; the labels of an image are the categories of its
  annotations, each once.
* Label Studio: a list of tasks with `data` and `annotations`, or its short form (JSON-MIN); the
  labels are the choices of the first annotation that was not cancelled.
* A list of objects, as `pandas.DataFrame.to_json(orient="records")` writes it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitreous.data.reading import ReadingOptions
from vitreous.data.sample import Dataset
from vitreous.data.sources.table import table_dataset
from vitreous.data.sources.table_text import Table, table_of
from vitreous.errors import UserError

_IMAGE_KEYS = ("image", "img", "photo", "picture", "file_name", "path", "url")


def open_json(path: Path, address: str, options: ReadingOptions | None = None) -> Dataset:
    """Open a .json file of one of these forms (see `vitreous.data.sources.table`).

    Raises:
        UserError: It is none of them, or as `open_table`.
    """
    return table_dataset(read_json(path, address), path.parent, address, options)


def read_json(path: Path, address: str) -> Table:
    """Read a .json file as a table.

    Raises:
        UserError: It is no JSON of one of these forms.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError) as fault:
        raise UserError(
            f"{address}: no JSON that can be read ({fault}): export it again as UTF-8"
        ) from fault
    if isinstance(value, dict) and isinstance(value.get("images"), list):
        return table_of(_coco(value, address), address)
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        tasks = all(isinstance(row.get("data"), dict) for row in value)
        return table_of([_task(row) for row in value] if tasks else _flat(value), address)
    raise UserError(
        f"{address}: neither COCO (images, annotations, categories), a Label Studio export, nor a "
        "list of objects with path and label: give one of them, or CSV"
    )


def _coco(value: Mapping[str, Any], address: str) -> list[dict[str, object]]:
    try:
        names = {row["id"]: str(row["name"]) for row in value.get("categories", [])}
        labels: dict[Any, dict[str, None]] = {row["id"]: {} for row in value["images"]}
        for row in value.get("annotations", []):
            labels[row["image_id"]][names[row["category_id"]]] = None
        return [
            {"file_name": row["file_name"], "labels": list(labels[row["id"]])}
            for row in value["images"]
        ]
    except (KeyError, TypeError) as fault:
        raise UserError(
            f"{address}: COCO whose images, annotations and categories do not fit one another "
            f"({fault!r} is missing): export it again"
        ) from fault


def _task(row: Mapping[str, Any]) -> dict[str, object]:
    """One task of Label Studio."""
    data = row["data"]
    image = next((data[key] for key in _IMAGE_KEYS if isinstance(data.get(key), str)), None)
    if image is None:
        image = next((own for own in data.values() if isinstance(own, str)), None)
    labels: list[str] = []
    for annotation in row.get("annotations") or row.get("completions") or []:
        if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
            for result in annotation.get("result") or []:
                given = result.get("value", {}) if isinstance(result, dict) else {}
                labels += given.get("choices") or given.get("taxonomy") or []
            break
    return {"path": image, "labels": [str(label) for label in labels]}


def _flat(rows: list[dict[str, Any]]) -> list[dict[str, object]]:
    """Objects of cells; {"choices": [...]} as Label Studio's short form has it is its list."""
    return [
        {
            name: cell["choices"] if isinstance(cell, dict) and "choices" in cell else cell
            for name, cell in row.items()
        }
        for row in rows
    ]
