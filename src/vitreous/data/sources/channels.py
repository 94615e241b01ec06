"""Images whose channels lie in several files, or in NumPy arrays: satellites, microscopes, depth.

A file is an image of 1 or 3 channels, or an array `.npy` (H, W) or (H, W, C) of uint8 or uint16
(0..65535, scaled by 1/257 as images of 16 bits are). The files of an image are stacked in their
order and must share H and W.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.decode import decode
from vitreous.data.header import check_size
from vitreous.data.sample import PART_NAMES, Dataset, Labels
from vitreous.data.sources.encoded import Store, fetch, sample_channels
from vitreous.data.sources.folder import FileStore
from vitreous.data.sources.names import PackedNames
from vitreous.errors import BadImageError, UserError

ARRAY_SUFFIX = ".npy"

# How many images are looked at for the number of channels of an array.
_SAMPLE = 32


@dataclass(frozen=True, eq=False)
class ChannelPart:
    """A part whose images are stacked of several files (see `vitreous.data.sample.Part`).

    Attributes:
        names: A unique name per image: the path of its first file.
        labels: Class indices, or multi-hot rows.
        positions: Of each image in the stores.
        stores: Of the first files, the second files...
        depths: Channels that each store's files give.
    """

    names: Sequence[str]
    labels: Labels
    positions: Int64[np.ndarray, " n"]
    stores: tuple[Store, ...]
    depths: tuple[int, ...]

    def read(self, index: int, min_side: int | None = None) -> UInt8[np.ndarray, "H W C"]:
        """Decode one image, whole whatever `min_side` (see `vitreous.data.sample.Part.read`)."""
        name, position = self.names[index], int(self.positions[index])
        planes = [
            _planes(fetch(store, position, name), name, depth)
            for store, depth in zip(self.stores, self.depths, strict=True)
        ]
        sizes = {own.shape[:2] for own in planes}
        if len(sizes) > 1:
            listed = " and ".join(f"{height} x {width}" for height, width in sorted(sizes))
            raise BadImageError(name, f"its files differ in size: {listed}")
        return np.ascontiguousarray(np.concatenate(planes, axis=2))


def stacked_dataset(
    *,
    address: str,
    root: Path,
    files: Sequence[Sequence[str]],
    labels: Labels,
    part_of: Int64[np.ndarray, " n"],
    class_names: tuple[str, ...],
    notes: Mapping[str, str],
) -> Dataset:
    """Make a data set of images of several files.

    Args:
        address: What the user typed.
        root: What paths are relative to.
        files: Paths of all first files, of all second files...; the first name the images.
        labels: Class indices, or multi-hot rows.
        part_of: Of each image, its part's position in `PART_NAMES`.
        class_names: In label order.
        notes: What the user should know.

    Raises:
        UserError: None of the files looked at can be read.
    """
    columns = [PackedNames.pack(own) for own in files]
    stores = tuple(FileStore(root, own) for own in columns)
    depths = tuple(_depth(address, own, store) for own, store in zip(columns, stores, strict=True))
    parts = {}
    for number, part in enumerate(PART_NAMES):
        positions = np.flatnonzero(part_of == number)
        if positions.size:
            names = columns[0].take(positions)
            parts[part] = ChannelPart(names, labels[positions], positions, stores, depths)
    return Dataset(
        address=address,
        class_names=class_names,
        parts=parts,
        channels=sum(depths),
        notes=notes,
        multi_label=labels.ndim == 2,
    )


def _depth(address: str, names: Sequence[str], store: Store) -> int:
    """Channels that a column of files gives."""
    if not names[0].endswith(ARRAY_SUFFIX):
        return sample_channels(address, names, store)
    reason = ""
    for position in range(min(len(names), _SAMPLE)):
        try:
            return _array(fetch(store, position, names[position]), names[position]).shape[2]
        except BadImageError as error:
            reason = reason or str(error)
    raise UserError(f"{address}: none of the arrays looked at can be read ({reason}): save again")


def _planes(data: bytes, name: str, depth: int) -> UInt8[np.ndarray, "H W C"]:
    if not data.startswith(b"\x93NUMPY"):
        if depth not in (1, 3):
            raise BadImageError(name, f"an image file where the others are arrays of {depth}")
        return decode(data, name, depth)
    pixels = _array(data, name)
    if pixels.shape[2] != depth:
        raise BadImageError(name, f"{pixels.shape[2]} channels where the others have {depth}")
    return pixels


def _array(data: bytes, name: str) -> UInt8[np.ndarray, "H W C"]:
    try:
        pixels = np.load(BytesIO(data), allow_pickle=False)
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        if pixels.ndim != 3 or 0 in pixels.shape or pixels.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"{pixels.dtype} {pixels.shape}, not uint8 or uint16 (H, W, C)")
        check_size(*pixels.shape[:2])
    except (ValueError, EOFError, OSError) as fault:
        raise BadImageError(name, str(fault)[:160]) from fault
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return pixels
