"""Images whose channels lie in several files, in NumPy arrays or in the bands of a TIFF.

A file is an image of 1 or 3 channels, a TIFF with bands beyond those of a picture, or an array
`.npy` (H, W) or (H, W, C); bands and arrays are uint8 or uint16 (0..65535, scaled by 1/257 as
images of 16 bits are). The files of an image are stacked in their order and must share H and W.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.crop import Box, BoxRule, cut
from vitreous.data.decode import decode
from vitreous.data.header import check_size
from vitreous.data.reading import Reading
from vitreous.data.region import decode_region
from vitreous.data.sample import PART_NAMES, Dataset, Labels
from vitreous.data.sources.bands import (
    TIFF_SUFFIXES,
    count_bands,
    read_bands,
    require_tifffile,
)
from vitreous.data.sources.encoded import Store, fetch, sample_channels
from vitreous.data.sources.folder import FileStore
from vitreous.data.sources.names import PackedNames
from vitreous.errors import BadImageError, UserError

ARRAY_SUFFIX = ".npy"
_NPY = b"\x93NUMPY"

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
    decodes: ClassVar[bool] = True

    def read(self, index: int, min_side: int | None = None) -> UInt8[np.ndarray, "H W C"]:
        """Decode one image (see `vitreous.data.sample.Part.read`)."""
        name = self.names[index]
        files = self._files(index)
        planes = [_planes(data, name, depth, min_side) for data, depth in files]
        if min_side and len(_sizes(planes)) > 1:  # only some of them come at a reduced scale
            planes = [_planes(data, name, depth) for data, depth in files]
        return _stacked(planes, name)

    def read_crop(
        self, index: int, rule: BoxRule, size: tuple[int, int]
    ) -> UInt8[np.ndarray, "h w C"]:
        """Decode a box of one image (see `vitreous.data.sample.CropPart.read_crop`)."""
        name = self.names[index]
        whole = set[tuple[int, int]]()

        def noted(H: int, W: int) -> Box:
            whole.add((H, W))
            return rule(H, W)

        planes = [
            _planes_of_box(data, name, depth, noted, size) for data, depth in self._files(index)
        ]
        if len(whole) > 1 or len(_sizes(planes)) > 1:
            pixels = self.read(index)
            return cut(pixels, rule(*pixels.shape[:2]))
        return _stacked(planes, name)

    def _files(self, index: int) -> list[tuple[bytes, int]]:
        """Of one image: each file, and the channels that it gives."""
        position = int(self.positions[index])
        stores = zip(self.stores, self.depths, strict=True)
        return [(fetch(store, position, self.names[index]), depth) for store, depth in stores]


def stacked_dataset(
    *,
    address: str,
    root: Path,
    files: Sequence[Sequence[str]],
    labels: Labels,
    part_of: Int64[np.ndarray, " n"],
    class_names: tuple[str, ...],
    notes: Mapping[str, str],
    reading: Reading | None = None,
    groups: Mapping[str, str] | None = None,
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
        reading: What was taken for what.
        groups: Name of an image -> its group.

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
        reading=reading or Reading(),
        groups=groups or {},
    )


def _depth(address: str, names: Sequence[str], store: Store) -> int:
    """Channels that a column of files gives."""
    if not names[0].lower().endswith((ARRAY_SUFFIX, *TIFF_SUFFIXES)):
        return sample_channels(address, names, store)
    reason = ""
    for position in range(min(len(names), _SAMPLE)):
        name = names[position]
        try:
            data = fetch(store, position, name)
            bands = count_bands(data)
            if bands is not None:
                require_tifffile(address)
                return bands
            if not name.endswith(ARRAY_SUFFIX):
                return sample_channels(address, names, store)
            return _array(data, name).shape[2]
        except BadImageError as error:
            reason = reason or str(error)
    raise UserError(f"{address}: none of the arrays looked at can be read ({reason}): save again")


def _planes(
    data: bytes, name: str, depth: int, min_side: int | None = None
) -> UInt8[np.ndarray, "H W C"]:
    if _is_picture(data):
        return decode(data, name, _picture_depth(name, depth), min_side)
    pixels = _array(data, name)
    if pixels.shape[2] != depth:
        raise BadImageError(name, f"{pixels.shape[2]} channels where the others have {depth}")
    return pixels


def _planes_of_box(
    data: bytes, name: str, depth: int, rule: BoxRule, size: tuple[int, int]
) -> UInt8[np.ndarray, "h w C"]:
    if _is_picture(data):
        return decode_region(data, name, _picture_depth(name, depth), rule, size)
    pixels = _planes(data, name, depth)
    return cut(pixels, rule(*pixels.shape[:2]))


def _is_picture(data: bytes) -> bool:
    return not data.startswith(_NPY) and count_bands(data) is None


def _picture_depth(name: str, depth: int) -> int:
    if depth not in (1, 3):
        raise BadImageError(name, f"an image file where the others are arrays of {depth}")
    return depth


def _sizes(planes: Sequence[UInt8[np.ndarray, "..."]]) -> set[tuple[int, int]]:
    return {(own.shape[0], own.shape[1]) for own in planes}


def _stacked(planes: Sequence[UInt8[np.ndarray, "..."]], name: str) -> UInt8[np.ndarray, "H W C"]:
    sizes = _sizes(planes)
    if len(sizes) > 1:
        listed = " and ".join(f"{height} x {width}" for height, width in sorted(sizes))
        raise BadImageError(name, f"its files differ in size: {listed}")
    return np.ascontiguousarray(np.concatenate(planes, axis=2))


def _array(data: bytes, name: str) -> UInt8[np.ndarray, "H W C"]:
    """Pixels of a NumPy array or of a TIFF's bands."""
    try:
        if data.startswith(_NPY):
            pixels = np.load(BytesIO(data), allow_pickle=False)
        else:
            pixels = read_bands(data)
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        if pixels.ndim != 3 or 0 in pixels.shape or pixels.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"{pixels.dtype} {pixels.shape}, not uint8 or uint16 (H, W, C)")
        check_size(*pixels.shape[:2])
    except Exception as fault:  # tifffile meets damage with whatever exception is nearest
        reason = " ".join(str(fault).split()) or type(fault).__name__
        raise BadImageError(name, reason[:160]) from fault
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return pixels
