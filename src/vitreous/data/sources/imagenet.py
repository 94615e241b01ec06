"""ImageNet (ILSVRC 2012) with its validation images in one folder, as they are downloaded.

`train/WNID/*.JPEG` and `val/ILSVRC2012_val_00000001.JPEG`..., also inside `ILSVRC/Data/CLS-LOC/`
as Kaggle has it. The labels come from a file beside: `LOC_val_solution.csv` (Kaggle), `val.txt`
(Caffe), or `ILSVRC2012_validation_ground_truth.txt` with `meta.mat` (the development kit). Classes
are named by their WordNet ids; sorted, they are the usual 0 to 999. Validation images in class
folders need none of this (`vitreous.data.sources.folder`).
"""

import csv
from pathlib import Path

import numpy as np

from vitreous.data.sample import Dataset
from vitreous.data.sources.encoded import Entry, encoded_dataset
from vitreous.data.sources.folder import FileStore, files_below
from vitreous.data.sources.names import PackedNames
from vitreous.data.sources.tree import class_tree
from vitreous.errors import UserError

_FIRST = "ILSVRC2012_val_00000001.JPEG"
_HOMES = ("", "ILSVRC/Data/CLS-LOC")
_VALIDATION = ("val", "validation", "ILSVRC2012_img_val")
_KITS = ("", "data", "ILSVRC2012_devkit_t12/data", "devkit/data", "caffe_ilsvrc12")


def is_imagenet_folder(folder: Path) -> bool:
    """Whether a folder has the validation images in one folder."""
    return _validation(folder) is not None


def open_imagenet(folder: Path, address: str) -> Dataset:
    """Open both parts, or validation alone; images are named by their path.

    Raises:
        UserError: No file of labels is found, or it does not fit the images.
    """
    images = _validation(folder)
    assert images is not None, "is_imagenet_folder comes first"
    home = images.parent
    entries: list[Entry] = []
    notes: dict[str, str] = {}
    if (home / "train").is_dir():
        files = (f"train/{name}" for name in files_below(home / "train"))
        tree = class_tree(files, address)
        entries, notes = tree.entries, dict(tree.notes)
        if tree.reading.doubt:
            raise UserError(f"{address}: {tree.reading.doubt}")
    labels = _labels(folder, home, sorted({entry.class_name for entry in entries}), address)
    for name in sorted(file for file in files_below(images) if file.endswith(".JPEG")):
        label = labels.get(name.removesuffix(".JPEG"))
        if label is None:
            raise UserError(f"{address}: the labels do not name {images.name}/{name}: take it out")
        entries.append(Entry(f"{images.name}/{name}", "validation", label))
    names = PackedNames.pack(entry.name for entry in entries)
    return encoded_dataset(address, entries, FileStore(home.absolute(), names), notes)


def _validation(folder: Path) -> Path | None:
    for home in _HOMES:
        for name in _VALIDATION:
            if (folder / home / name / _FIRST).is_file():
                return folder / home / name
    return None


def _labels(folder: Path, home: Path, classes: list[str], address: str) -> dict[str, str]:
    """Image name without its ending -> WordNet id."""
    places = [place / kit for place in dict.fromkeys((folder, home)) for kit in _KITS]
    try:
        for place in places:
            if (path := place / "LOC_val_solution.csv").is_file():
                return _kaggle(path)
            if (path := place / "val.txt").is_file() and classes:
                return _caffe(path, classes)
            truth = place / "ILSVRC2012_validation_ground_truth.txt"
            if truth.is_file() and (meta := _first(places, "meta.mat")) is not None:
                return _kit(truth, meta)
    except Exception as fault:  # a damaged file meets whatever exception is nearest
        raise UserError(f"{address}: its labels cannot be read ({fault!r}): fetch again") from fault
    raise UserError(
        f"{address}: no labels of the images in val/: put LOC_val_solution.csv there, or "
        "ILSVRC2012_validation_ground_truth.txt and meta.mat of the development kit"
    )


def _first(places: list[Path], name: str) -> Path | None:
    return next((place / name for place in places if (place / name).is_file()), None)


def _kaggle(path: Path) -> dict[str, str]:
    with open(path, encoding="utf-8", newline="") as file:
        return {row["ImageId"]: row["PredictionString"].split()[0] for row in csv.DictReader(file)}


def _caffe(path: Path, classes: list[str]) -> dict[str, str]:
    rows = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return {name.removesuffix(".JPEG"): classes[int(label)] for name, label in rows}


def _kit(path: Path, meta: Path) -> dict[str, str]:
    from scipy.io import loadmat

    synsets = np.atleast_1d(loadmat(meta, squeeze_me=True)["synsets"])
    words = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets}
    lines = path.read_text(encoding="utf-8").split()
    return {
        f"ILSVRC2012_val_{number:08d}": words[int(label)] for number, label in enumerate(lines, 1)
    }
