"""idx files of the MNIST family: `train-images-idx3-ubyte.gz` and its three companions.

The format: two zero bytes, 8 for unsigned bytes, the number of axes, each axis as a big-endian
32-bit integer, then the values (http://yann.lecun.com/exdb/mnist/). `t10k` means test. Files may
be unpacked, spelt with a dot (`images.idx3`), or carry a prefix (`emnist-letters-train-...`).
"""

import gzip
import io
import math
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from jaxtyping import UInt8

from vitreous.data.header import MAX_PIXELS
from vitreous.data.sample import Dataset
from vitreous.data.sources.pixels import PixelPart, numbered
from vitreous.errors import UserError

_NAME = re.compile(
    r"(?P<prefix>.*?)(?P<part>train|t10k|test)-(?P<kind>images|labels)[-.]idx[13]-ubyte(\.gz)?"
)
# Bytes that gzip can make of one, at most.
_MOST_PACKED = 1032
_PIECE = 1 << 22
_PARTS = {"train": "train", "t10k": "test", "test": "test"}


def is_idx(path: Path) -> bool:
    """Whether a file is named as one of the MNIST family."""
    return _NAME.fullmatch(path.name) is not None


def is_idx_folder(folder: Path) -> bool:
    """Whether a folder holds files of the MNIST family."""
    return any(map(is_idx, folder.iterdir()))


def open_idx(path: Path, address: str) -> Dataset:
    """Open a folder of idx files, or the one pair that a file belongs to.

    Images are named `train/00000` or `t10k/00000`, and classes by their number.

    Raises:
        UserError: A companion is missing, or a file is damaged, cut short or of another kind.
    """
    parts, sizes, classes = {}, set(), 0
    for spelt, files in _pairs(path, address).items():
        part = _open_pair(spelt, files, address)
        parts[_PARTS[spelt]] = part
        sizes.add(part.pixels.shape[1:3])
        classes = max(classes, int(part.labels.max()) + 1)
    if len(sizes) > 1:
        raise UserError(f"{address}: train and test images differ in size: take both from one set")
    height, width = sizes.pop()
    return Dataset(
        address=address,
        class_names=tuple(str(label) for label in range(classes)),
        parts=parts,
        channels=1,
        image_size=(height, width),
    )


def _pairs(path: Path, address: str) -> dict[str, dict[str, Path]]:
    """Part as the file names spell it -> kind ("images" or "labels") -> file."""
    folder = path if path.is_dir() else path.parent
    found = [match for file in folder.iterdir() if (match := _NAME.fullmatch(file.name))]
    if chosen := _NAME.fullmatch(path.name):
        found = [match for match in found if match.group(1, 2) == chosen.group(1, 2)]
    if len(prefixes := sorted({match["prefix"] for match in found})) > 1:
        raise UserError(
            f"{address}: several sets in one folder ({', '.join(prefixes)}): give one of the files"
        )
    pairs: dict[str, dict[str, Path]] = {}
    for match in sorted(found, key=lambda match: match.string, reverse=True):
        pairs.setdefault(match["part"], {})[match["kind"]] = folder / match.string
    return pairs


def _open_pair(spelt: str, files: dict[str, Path], address: str) -> PixelPart:
    for kind, other in (("images", "labels"), ("labels", "images")):
        if kind not in files:
            raise UserError(f"{address}: no {spelt} {kind} file beside {files[other].name}: add it")
    labels = _read(files["labels"], axes=1).astype(np.int64)
    with _opened(files["images"]) as file:
        count = _header(file, files["images"], axes=3)[0]
    if count != len(labels):
        raise UserError(
            f"{address}: {count} {spelt} images but {len(labels)} labels: take both files from one "
            "set"
        )
    part = PixelPart(numbered(spelt, len(labels)), labels, partial(_load_images, files["images"]))
    if not len(labels):
        raise UserError(f"{address}: {files['images'].name} holds no images: download it again")
    return part


def _load_images(path: Path) -> UInt8[np.ndarray, "n H W 1"]:
    return _read(path, axes=3)[..., None]


def _read(path: Path, axes: int) -> UInt8[np.ndarray, "..."]:
    """The values of a file, unpacked no further than its header says and one byte more."""
    with _opened(path) as file:
        shape = _header(file, path, axes)
        values = np.empty(math.prod(shape), np.uint8)
        found = _fill(file, values)
        if found < len(values) or file.read(1):
            held = str(found) if found < len(values) else f"over {found}"
            raise UserError(
                f"{path}: holds {held} values where its header says {shape}: download it again"
            )
    return values.reshape(shape)


def _fill(file: io.BufferedIOBase, values: UInt8[np.ndarray, " n"]) -> int:
    """Read values a piece at a time, and return how many there were."""
    found = 0
    while found < len(values):
        piece = file.read(min(_PIECE, len(values) - found))
        if not piece:
            break
        values[found : found + len(piece)] = np.frombuffer(piece, np.uint8)
        found += len(piece)
    return found


def _header(file: io.BufferedIOBase, path: Path, axes: int) -> tuple[int, ...]:
    """The shape of what follows, if there can be as much."""
    head = file.read(4 + 4 * axes)
    if head[:4] != bytes((0, 0, 8, axes)) or len(head) < 4 + 4 * axes:
        raise UserError(
            f"{path}: not an idx file of bytes with {axes} axes (it begins with "
            f"{head[:4].hex() or 'nothing'}): check the file's name, or download it again"
        )
    shape = tuple(int(side) for side in np.frombuffer(head, ">u4", axes, offset=4))
    most = path.stat().st_size * (_MOST_PACKED if path.suffix == ".gz" else 1)
    if math.prod(shape) > most or math.prod(shape[1:]) > MAX_PIXELS:
        raise UserError(
            f"{path}: its header says {shape}, and so much it cannot hold: download it again"
        )
    return shape


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedIOBase]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield cast(io.BufferedIOBase, file)
    except (OSError, EOFError, zlib.error) as fault:
        raise UserError(f"{path}: cannot be read ({fault}): download it again") from fault
