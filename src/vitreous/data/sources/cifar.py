"""CIFAR-10 and CIFAR-100 as their authors give them, in Python's or the binary version.

Folders `cifar-10-batches-py`, `cifar-100-python`, `cifar-10-batches-bin` and `cifar-100-binary`,
the folder that one of them lies in, or the download itself (`cifar-10-python.tar.gz`). Pickles are
read by `vitreous.data.sources.plain_pickle`: nothing in them is run. Of CIFAR-100 the 100 fine
labels are taken. Images are named by file and number.

Source: https://www.cs.toronto.edu/~kriz/cifar.html
"""

import posixpath
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.sample import Dataset
from vitreous.data.sources.pixels import PixelPart, numbered
from vitreous.data.sources.plain_pickle import read_plain_pickle
from vitreous.data.sources.tar_listing import TAR_DAMAGE, BoundedTarInfo
from vitreous.errors import UserError
from vitreous.files import read_file

_PIXELS = 3 * 32 * 32

# Of an archive, unpacked as far as the last file that is wanted: the largest have 190 MB.
_MOST_BYTES = 2**28


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


def is_cifar_archive(path: Path) -> bool:
    """Whether a tar, compressed or not, is one of the downloads: by its first member."""
    return _archived(path) is not None


def open_cifar(path: Path, address: str) -> Dataset:
    """Open a download, unpacked or not: 50,000 images to train and 10,000 to test.

    Raises:
        UserError: A file is missing, damaged, or holds anything but plain values.
    """
    found = _find(path) if path.is_dir() else _archived(path)
    assert found is not None, "is_cifar_folder or is_cifar_archive comes first"
    version, home = found
    held = _files(home, [version.names[0], *chain.from_iterable(version.parts.values())], address)
    class_names = _class_names(version, held[version.names[0]], f"{address}: {version.names[0]}")
    parts = {}
    for part, files in version.parts.items():
        batches = [_read(version, held[file], f"{address}: {file}") for file in files]
        labels = np.concatenate([labels for _, labels in batches])
        if labels.size and not 0 <= labels.min() <= labels.max() < len(class_names):
            raise UserError(
                f"{address}: a {part} label is {labels.max()} and {version.names[0]} names "
                f"{len(class_names)} classes: fetch the download again"
            )
        names = [
            name
            for file, (_, own) in zip(files, batches, strict=True)
            for name in numbered(Path(file).stem, len(own))
        ]
        parts[part] = PixelPart(names, labels, partial(_pixels, version, home.absolute(), files))
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


def _archived(path: Path) -> tuple[Version, Path] | None:
    try:
        with tarfile.open(path, tarinfo=BoundedTarInfo) as archive:
            first = archive.next()
    except TAR_DAMAGE:
        return None
    folder = "" if first is None else first.name.removeprefix("./").split("/")[0]
    return next(((version, path) for version in VERSIONS if version.folder == folder), None)


def _files(home: Path, wanted: Sequence[str], address: str) -> dict[str, bytes]:
    """Whole files of a folder or an archive, by name."""
    if home.is_dir():
        held = {
            name: read_file(home / name, _MOST_BYTES) for name in wanted if (home / name).is_file()
        }
    else:
        held = _unpacked(home, wanted, address)
    if missing := [name for name in wanted if name not in held]:
        raise UserError(f"{address}: {missing[0]} is missing: fetch the download again")
    return held


def _unpacked(path: Path, wanted: Sequence[str], address: str) -> dict[str, bytes]:
    held = {}
    try:
        with tarfile.open(path, tarinfo=BoundedTarInfo) as archive:
            for member in archive:
                name = posixpath.basename(member.name)
                if member.offset_data + member.size > _MOST_BYTES:
                    raise tarfile.ReadError(
                        f"{name} ends beyond {_MOST_BYTES >> 20} MiB, and no download is so large"
                    )
                if name not in wanted or not member.isfile():
                    continue
                file = archive.extractfile(member)
                held[name] = file.read() if file is not None else b""
                if len(held) == len(wanted):
                    break
    except TAR_DAMAGE as fault:
        raise UserError(f"{address}: not a whole archive ({fault}): download it again") from fault
    return held


def _class_names(version: Version, data: bytes, name: str) -> tuple[str, ...]:
    key = version.names[1]
    if not key:
        lines = data.decode("utf-8", "replace").splitlines()
        return tuple(line.strip() for line in lines if line.strip())
    names = read_plain_pickle(data, name).get(key)
    if not isinstance(names, list):
        raise UserError(f"{name}: has no {key}: fetch the download again")
    return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)


def _pixels(version: Version, home: Path, files: Sequence[str]) -> UInt8[np.ndarray, "n 32 32 3"]:
    held = _files(home, files, str(home))
    return np.concatenate([_read(version, held[file], f"{home}: {file}")[0] for file in files])


def _read(
    version: Version, data: bytes, name: str
) -> tuple[UInt8[np.ndarray, "n 32 32 3"], Int64[np.ndarray, " n"]]:
    planes: np.ndarray | None
    if version.labels is None:
        width = version.label_bytes + _PIXELS
        if not data or len(data) % width:
            raise UserError(f"{name}: {len(data)} bytes are no whole images: download it again")
        rows = np.frombuffer(data, np.uint8).reshape(-1, width)
        planes, labels = rows[:, version.label_bytes :], rows[:, version.label_bytes - 1]
    else:
        held = read_plain_pickle(data, name)
        planes, labels = held.get("data"), np.asarray(held.get(version.labels, ()))
        if (
            not isinstance(planes, np.ndarray)
            or planes.dtype != np.uint8
            or planes.shape != (len(labels), _PIXELS)
            or labels.dtype.kind not in "iu"
        ):
            raise UserError(f"{name}: holds no images with {version.labels}: download it again")
    images = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels.astype(np.int64)
