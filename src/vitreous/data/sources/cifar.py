"""CIFAR-10 and CIFAR-100 as their authors give them, in Python's or the binary version.

Folders `cifar-10-batches-py`, `cifar-100-python`, `cifar-10-batches-bin` and `cifar-100-binary`, or
the folder that one of them lies in. Pickles are read by `vitreous.data.sources.plain_pickle`:
nothing in them is run. Of CIFAR-100 the 100 fine labels are taken. Images are named by file and
number.

Source: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.sample import Dataset
from vitreous.data.sources.pixels import PixelPart, numbered
from vitreous.data.sources.plain_pickle import read_plain_pickle
from vitreous.errors import UserError

_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Version:
    """One of the four downloads.

    Attributes:
        folder: Its usual name.
        parts: Part -> its files.
        names: The file of class names, and the key in it.
        labels: The key of labels in pickles; None for the binary version.
        label_bytes: Of the binary version, bytes before the pixels; the last is the label.
    """

    folder: str
    parts: Mapping[str, tuple[str, ...]]
    names: tuple[str, str]
    labels: str | None = None
    label_bytes: int = 1


def _batches(suffix: str) -> dict[str, tuple[str, ...]]:
    train = tuple(f"data_batch_{number}{suffix}" for number in range(1, 6))
    return {"train": train, "test": (f"test_batch{suffix}",)}


VERSIONS = (
    Version("cifar-10-batches-py", _batches(""), ("batches.meta", "label_names"), "labels"),
    Version(
        "cifar-100-python",
        {"train": ("train",), "test": ("test",)},
        ("meta", "fine_label_names"),
        "fine_labels",
    ),
    Version("cifar-10-batches-bin", _batches(".bin"), ("batches.meta.txt", "")),
    Version(
        "cifar-100-binary",
        {"train": ("train.bin",), "test": ("test.bin",)},
        ("fine_label_names.txt", ""),
        label_bytes=2,
    ),
)
"""All downloads that are read."""


def is_cifar_folder(folder: Path) -> bool:
    """Whether a folder is one of the downloads, or holds one."""
    return _find(folder) is not None


def open_cifar(folder: Path, address: str) -> Dataset:
    """Open a download: 50,000 images to train and 10,000 to test.

    Raises:
        UserError: A file is missing, damaged, or holds anything but plain values.
    """
    found = _find(folder)
    assert found is not None, "is_cifar_folder comes first"
    version, home = found
    class_names = _class_names(version, home)
    parts = {}
    for part, files in version.parts.items():
        paths = [home.absolute() / file for file in files]
        for path in paths:
            if not path.is_file():
                raise UserError(f"{address}: {path.name} is missing: unpack the download again")
        batches = [_read(version, path) for path in paths]
        labels = np.concatenate([labels for _, labels in batches])
        if labels.size and not 0 <= labels.min() <= labels.max() < len(class_names):
            raise UserError(
                f"{address}: a {part} label is {labels.max()} and {version.names[0]} names "
                f"{len(class_names)} classes: unpack the download again"
            )
        names = [
            name
            for path, (_, own) in zip(paths, batches, strict=True)
            for name in numbered(path.stem, len(own))
        ]
        parts[part] = PixelPart(names, labels, partial(_pixels, version, paths))
        parts[part].pixels = np.concatenate([pixels for pixels, _ in batches])
    return Dataset(
        address=address, class_names=class_names, parts=parts, channels=3, image_size=(32, 32)
    )


def _find(folder: Path) -> tuple[Version, Path] | None:
    for version in VERSIONS:
        for home in (folder, folder / version.folder):
            wanted = (version.names[0], version.parts["train"][0])
            if all((home / file).is_file() for file in wanted):
                return version, home
    return None


def _class_names(version: Version, home: Path) -> tuple[str, ...]:
    file, key = version.names
    if not key:
        lines = (home / file).read_text(encoding="utf-8").splitlines()
        return tuple(line.strip() for line in lines if line.strip())
    names = read_plain_pickle(home / file).get(key)
    if not isinstance(names, list):
        raise UserError(f"{home / file}: has no {key}: unpack the download again")
    return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)


def _pixels(version: Version, paths: Sequence[Path]) -> UInt8[np.ndarray, "n 32 32 3"]:
    return np.concatenate([_read(version, path)[0] for path in paths])


def _read(
    version: Version, path: Path
) -> tuple[UInt8[np.ndarray, "n 32 32 3"], Int64[np.ndarray, " n"]]:
    planes: np.ndarray | None
    if version.labels is None:
        data = np.fromfile(path, np.uint8)
        width = version.label_bytes + _PIXELS
        if not data.size or data.size % width:
            raise UserError(f"{path}: {data.size} bytes are no whole images: download it again")
        rows = data.reshape(-1, width)
        planes, labels = rows[:, version.label_bytes :], rows[:, version.label_bytes - 1]
    else:
        held = read_plain_pickle(path)
        planes, labels = held.get("data"), np.asarray(held.get(version.labels, ()))
        if (
            not isinstance(planes, np.ndarray)
            or planes.dtype != np.uint8
            or planes.shape != (len(labels), _PIXELS)
            or labels.dtype.kind not in "iu"
        ):
            raise UserError(f"{path}: holds no images with {version.labels}: download it again")
    images = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels.astype(np.int64)
