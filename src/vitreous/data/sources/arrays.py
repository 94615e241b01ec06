"""NumPy archives (.npz) of images and labels, in one of two forms.

* `x` uint8 (N, H, W) or (N, H, W, C), and `y` integers (N,).
* `jpeg` uint8: image files one after the other; `offsets` integers (N + 1,): image i is
  `jpeg[offsets[i]:offsets[i + 1]]`; and `y`.

Either may hold `class_names`, strings in label order; without it classes are named by number
(`vitreous.data.sources.numbered_classes`). All images are one part, train. The images are kept in
memory as the archive has them.
"""

import zipfile
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped, UInt8

from vitreous.data.decode import image_size
from vitreous.data.sample import Dataset
from vitreous.data.sources.encoded import EncodedPart, sample_channels
from vitreous.data.sources.npz_headers import ZIP_DAMAGE, check_headers
from vitreous.data.sources.numbered_classes import numbered_classes
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
            return _open_pixels(path, address, keys)
        if {"jpeg", "offsets", "y"} <= keys:
            return _open_jpegs(path, address, keys)
    except ZIP_DAMAGE as fault:
        if isinstance(fault, UserError):
            raise
        raise UserError(
            f"{address}: not a whole .npz archive ({in_one_line(fault)}): copy or save it again"
        ) from fault
    held = ", ".join(sorted(keys)) or "nothing"
    raise UserError(
        f"{address}: holds {held}, but no x and y: save it with "
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


def _open_pixels(path: Path, address: str, keys: set[str]) -> Dataset:
    class_names, labels = _classes(path, address, keys)
    names = numbered(path.stem, len(labels))
    part = PixelPart(names, labels, partial(_load_pixels, path.absolute(), address))
    if len(part.pixels) != len(labels):
        raise UserError(f"{address}: {len(part.pixels)} images in x but {len(labels)} labels in y")
    height, width, channels = part.pixels.shape[1:]
    return _dataset(address, class_names, part, channels, (height, width))


def _open_jpegs(path: Path, address: str, keys: set[str]) -> Dataset:
    class_names, labels = _classes(path, address, keys)
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
    return _dataset(address, class_names, part, channels, _shared_size(store, names))


def _dataset(
    address: str,
    class_names: tuple[str, ...],
    part: PixelPart | EncodedPart,
    channels: int,
    size: tuple[int, int] | None,
) -> Dataset:
    return Dataset(
        address=address,
        class_names=class_names,
        parts={"train": part},
        channels=channels,
        image_size=size,
    )


def _classes(
    path: Path, address: str, keys: set[str]
) -> tuple[tuple[str, ...], Int64[np.ndarray, " n"]]:
    """Class names, and class indices."""
    labels = _load(path, "y")
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise UserError(
            f"{address}: y is {labels.dtype} with {labels.ndim} axes, not one class index an "
            "image: save y.reshape(-1).astype('int64')"
        )
    if not labels.size:
        raise UserError(f"{address}: holds no images: save at least two classes of them")
    if labels.min() < 0:
        raise UserError(f"{address}: y holds {labels.min()}: number the classes from 0")
    if "class_names" not in keys:
        return numbered_classes(labels)
    return _class_names(path, address, int(labels.max()) + 1), labels.astype(np.int64)


def _load_pixels(path: Path, address: str) -> UInt8[np.ndarray, "n H W C"]:
    pixels = _load(path, "x")
    if pixels.dtype != np.uint8:
        raise UserError(
            f"{address}: x is {pixels.dtype}, not uint8 levels 0..255: save x.astype('uint8'), or "
            "(x * 255).round().astype('uint8') where x is in 0..1"
        )
    if pixels.ndim == 4 and pixels.shape[1] in (1, 3) and pixels.shape[3] > 4:
        raise UserError(
            f"{address}: x of shape {pixels.shape} has its channels first: save "
            "x.transpose(0, 2, 3, 1)"
        )
    if pixels.ndim not in (3, 4) or 0 in pixels.shape[1:]:
        raise UserError(f"{address}: x has shape {pixels.shape}, not (N, H, W) or (N, H, W, C)")
    return pixels[..., None] if pixels.ndim == 3 else pixels


def _class_names(path: Path, address: str, count: int) -> tuple[str, ...]:
    names = _load(path, "class_names")
    if names.dtype.kind != "U" or names.ndim != 1:
        raise UserError(f"{address}: class_names is {names.dtype}: save it as an array of str")
    if len(names) < count or len(set(names.tolist())) < len(names):
        raise UserError(
            f"{address}: class_names has {len(set(names.tolist()))} different names for labels up "
            f"to {count - 1}: give each class one"
        )
    return tuple(names.tolist())


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
