"""NumPy archives (.npz) of images and labels, in one of two forms.

* `x` uint8 (N, H, W) or (N, H, W, C), and `y`; also under the names of Keras (`x_train`, `y_train`,
  `x_test`...), MedMNIST (`train_images`, `train_labels`...) and hand-written scripts, with their
  parts (`vitreous.data.sources.array_keys`).
* `jpeg` uint8: image files one after the other; `offsets` integers (N + 1,): image i is
  `jpeg[offsets[i]:offsets[i + 1]]`; and `y`.

Labels are whole numbers, words, or rows of zeros and ones. Either may hold `class_names`, strings
in label order; without it classes are named by number (`vitreous.data.sources.numbered_classes`).
The images are kept in memory as the archive has them.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped, UInt8

from vitreous.data.decode import image_size
from vitreous.data.reading import Reading
from vitreous.data.sample import Dataset, Labels
from vitreous.data.sources.array_keys import (
    NAMES,
    PartKeys,
    coded_labels,
    levels_advice,
    part_keys,
    positional_keys,
)
from vitreous.data.sources.encoded import EncodedPart, sample_channels
from vitreous.data.sources.npz_headers import ZIP_DAMAGE, check_headers
from vitreous.data.sources.pixels import PixelPart, numbered
from vitreous.errors import BadImageError, UserError, in_one_line

Array = Shaped[np.ndarray, "..."]


def open_arrays(path: Path, address: str) -> Dataset:
    """Open an .npz; images are named by its name and their number, as `NAME/00042`.

    Raises:
        UserError: The archive is damaged, lacks an array, or an array has another type or shape
            than said above.
    """
    try:
        keys = _keys(path)
        check_headers(path, address)
        if {"x", "y"} <= keys:
            return _open_pixels(path, address, keys, {"train": PartKeys("x", "y")})
        if {"jpeg", "offsets", "y"} <= keys:
            return _open_jpegs(path, address, keys)
        if parts := part_keys(keys, address) or positional_keys(_shapes(path, keys)):
            return _open_pixels(path, address, keys, parts)
    except ZIP_DAMAGE as fault:
        if isinstance(fault, UserError):
            raise
        raise UserError(
            f"{address}: not a whole .npz archive ({in_one_line(fault)}): copy or save it again"
        ) from fault
    held = ", ".join(sorted(keys)) or "nothing"
    raise UserError(
        f"{address}: holds {held}, but no x and y, nor x_train and y_train: save it with "
        "numpy.savez(FILE, x=images, y=labels)"
    )


@dataclass(eq=False)
class JpegStore:
    """Image files one after the other in an array of an .npz; a pickled copy reads it again.

    Attributes:
        path: The .npz.
        offsets: Where each file begins, and where the last one ends.
    """

    path: Path
    offsets: Int64[np.ndarray, " n_plus_1"]

    @cached_property
    def jpeg(self) -> Array:
        """All files, uint8 (bytes,)."""
        return _load(self.path, "jpeg")

    def fetch(self, position: int) -> bytes:
        """The whole file of one image (see `Store.fetch`)."""
        data: bytes = self.jpeg[self.offsets[position] : self.offsets[position + 1]].tobytes()
        return data

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "jpeg"}


def _open_pixels(
    path: Path, address: str, keys: set[str], parts: Mapping[str, PartKeys]
) -> Dataset:
    class_names, labels, how = _labels(path, address, keys, [own.labels for own in parts.values()])
    opened: dict[str, PixelPart] = {}
    for part, own in parts.items():
        prefix = path.stem if len(parts) == 1 else f"{path.stem}/{part}"
        names = numbered(prefix, len(labels[own.labels]))
        load = partial(_load_pixels, path.absolute(), address, own.images)
        opened[part] = PixelPart(names, labels[own.labels], load)
        if len(opened[part].pixels) != len(names):
            raise UserError(
                f"{address}: {len(opened[part].pixels)} images in {own.images} but {len(names)} "
                f"labels in {own.labels}"
            )
    shapes = [part.pixels.shape[1:] for part in opened.values()]
    if len({shape[2] for shape in shapes}) > 1:
        raise UserError(f"{address}: its parts differ in their channels: save them alike")
    said = ", ".join(f"{own.images} is {part}" for part, own in parts.items())
    return Dataset(
        address=address,
        class_names=class_names,
        parts=opened,
        channels=shapes[0][2],
        image_size=shapes[0][:2] if len(set(shapes)) == 1 else None,
        multi_label=next(iter(labels.values())).ndim == 2,
        reading=Reading(classes=how, parts=said if len(parts) > 1 else ""),
    )


def _open_jpegs(path: Path, address: str, keys: set[str]) -> Dataset:
    class_names, coded, how = _labels(path, address, keys, ["y"])
    labels = coded["y"]
    offsets = _load(path, "offsets")
    if offsets.dtype.kind not in "iu" or offsets.shape != (len(labels) + 1,):
        raise UserError(
            f"{address}: offsets is {offsets.dtype} {offsets.shape}, not {len(labels) + 1} "
            f"integers for the {len(labels)} labels in y: save both from one set"
        )
    store = JpegStore(path.absolute(), offsets.astype(np.int64))
    if store.jpeg.dtype != np.uint8 or store.jpeg.ndim != 1:
        raise UserError(
            f"{address}: jpeg is {store.jpeg.dtype} with {store.jpeg.ndim} axes: save the files' "
            "bytes as one uint8 array"
        )
    ends = (store.offsets[0], store.offsets[-1])
    if (np.diff(store.offsets) < 0).any() or ends[0] < 0 or ends[1] > len(store.jpeg):
        raise UserError(f"{address}: offsets do not rise within jpeg: save both from one set")
    names = numbered(path.stem, len(labels))
    channels = sample_channels(address, names, store)
    part = EncodedPart(names, labels, np.arange(len(labels)), store, channels)
    return Dataset(
        address=address,
        class_names=class_names,
        parts={"train": part},
        channels=channels,
        image_size=_shared_size(store, names),
        multi_label=labels.ndim == 2,
        reading=Reading(classes=how),
    )


def _labels(
    path: Path, address: str, keys: set[str], wanted: list[str]
) -> tuple[tuple[str, ...], dict[str, Labels], str]:
    """Class names, labels by their keys, and how they were read."""
    named = next((key for key in NAMES if key in keys and key not in wanted), None)
    names = () if named is None else _class_names(path, address, named)
    arrays = {key: _load(path, key) for key in wanted}
    return coded_labels(arrays, names, address)


def _load_pixels(path: Path, address: str, key: str) -> UInt8[np.ndarray, "n H W C"]:
    pixels = _load(path, key)
    if pixels.dtype != np.uint8:
        if pixels.dtype.kind not in "biuf":
            raise UserError(f"{address}: {key} is {pixels.dtype}: save uint8 levels 0..255")
        raise UserError(
            f"{address}: {key} is {pixels.dtype}, not uint8 levels 0..255: save "
            f"{levels_advice(pixels, key)}"
        )
    if pixels.ndim == 4 and pixels.shape[1] in (1, 3) and pixels.shape[3] > 4:
        raise UserError(
            f"{address}: {key} of shape {pixels.shape} has its channels first: save "
            f"{key}.transpose(0, 2, 3, 1)"
        )
    if pixels.ndim not in (3, 4) or 0 in pixels.shape[1:]:
        raise UserError(f"{address}: {key} has shape {pixels.shape}, not (N, H, W) or (N, H, W, C)")
    return pixels[..., None] if pixels.ndim == 3 else pixels


def _class_names(path: Path, address: str, key: str) -> tuple[str, ...]:
    names = _load(path, key)
    if names.dtype.kind != "U" or names.ndim != 1:
        raise UserError(f"{address}: {key} is {names.dtype}: save it as an array of str")
    return tuple(names.tolist())


def _shapes(path: Path, keys: set[str]) -> dict[str, tuple[int, ...]]:
    """The shape of each array of an archive of two."""
    return {key: _load(path, key).shape for key in keys} if len(keys) == 2 else {}


def _shared_size(store: JpegStore, names: list[str]) -> tuple[int, int] | None:
    """(H, W) where all images have it, or None; reads headers until two differ."""
    shared = None
    for position, name in enumerate(names):
        try:
            size = image_size(store.fetch(position), name)
        except BadImageError:
            continue  # it will be counted when it is read
        shared = shared or size
        if size != shared:
            return None
    return shared


def _keys(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy") for name in archive.namelist()}


def _load(path: Path, key: str) -> Array:
    with np.load(path, allow_pickle=False) as archive:
        try:
            array = archive[key]
        except ValueError as fault:  # an array of objects, or a damaged one
            raise UserError(f"{path}: {key} cannot be read ({fault}): save it again") from fault
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path}: {key} is no NumPy array: save it with numpy.savez")
    return array
