"""Parts whose images are encoded files, wherever the bytes lie."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.crop import BoxRule
from vitreous.data.decode import decode, is_grey
from vitreous.data.region import decode_region
from vitreous.data.sample import PART_NAMES, Dataset
from vitreous.errors import BadImageError, UserError

MAX_BYTES = 512 * 2**20
"""Largest file that is read, in bytes: what `header.MAX_PIXELS` take uncompressed, and to spare."""

# How many images are looked at to tell grey data from colour.
_SAMPLE = 32


class Entry(NamedTuple):
    """One image of a listing."""

    name: str
    part: str
    class_name: str


@runtime_checkable
class Store(Protocol):
    """Where the bytes of images lie; cheap to pickle, and safe from several threads at once."""

    def fetch(self, position: int) -> bytes:
        """The whole file of one image.

        Raises:
            OSError: It cannot be read.
        """


@dataclass(frozen=True, eq=False)
class EncodedPart:
    """A part of a data set of image files (see `vitreous.data.sample.Part`).

    Attributes:
        names: A unique name per image.
        labels: Class indices.
        positions: Of each image in the store.
        store: Where the files lie.
        channels: C of every image read, 1 or 3.
    """

    names: Sequence[str]
    labels: Int64[np.ndarray, " n"]
    positions: Int64[np.ndarray, " n"]
    store: Store
    channels: int
    decodes: ClassVar[bool] = True

    def read(self, index: int, min_side: int | None = None) -> UInt8[np.ndarray, "H W C"]:
        """Decode one image (see `vitreous.data.sample.Part.read`)."""
        name = self.names[index]
        data = fetch(self.store, int(self.positions[index]), name)
        return decode(data, name, self.channels, min_side)

    def read_crop(
        self, index: int, rule: BoxRule, size: tuple[int, int]
    ) -> UInt8[np.ndarray, "h w C"]:
        """Decode a box of one image (see `vitreous.data.sample.CropPart.read_crop`)."""
        name = self.names[index]
        data = fetch(self.store, int(self.positions[index]), name)
        return decode_region(data, name, self.channels, rule, size)


def fetch(store: Store, position: int, name: str) -> bytes:
    """Bytes of one image file; a BadImageError where they cannot be had."""
    try:
        return store.fetch(position)
    except OSError as fault:
        raise BadImageError(name, fault.strerror or str(fault)) from fault


def check_bytes(size: int) -> None:
    """Refuse a file of more than `MAX_BYTES` bytes with an OSError."""
    if size > MAX_BYTES:
        raise OSError(f"the file is over the limit of {MAX_BYTES >> 20} MiB")


def encoded_dataset(
    address: str, entries: Sequence[Entry], store: Store, notes: Mapping[str, str]
) -> Dataset:
    """Make a data set of a listing; no image is decoded, and at most 32 headers are read.

    Class names are sorted, over all parts. Channels are 3, unless each of up to 32 images spread
    over the whole set is stored without colour: then 1 (`sample_channels`).

    Args:
        address: What the user typed.
        entries: One per image; the store's position of each is its index here.
        store: Where the files lie.
        notes: What the user should know.

    Raises:
        UserError: A part has a class that training lacks, or none of the images looked at can
            be read.
    """
    class_names = _class_names(address, entries)
    channels = sample_channels(address, [entry.name for entry in entries], store)
    label = {name: index for index, name in enumerate(class_names)}
    labels = np.array([label[entry.class_name] for entry in entries], np.int64)
    part_of = np.array([PART_NAMES.index(entry.part) for entry in entries])
    parts = {}
    for number, part in enumerate(PART_NAMES):
        positions = np.flatnonzero(part_of == number)
        if positions.size:
            names = [entries[position].name for position in positions.tolist()]
            parts[part] = EncodedPart(names, labels[positions], positions, store, channels)
    return Dataset(
        address=address,
        class_names=class_names,
        parts=parts,
        channels=channels,
        notes=dict(notes),
    )


def sample_channels(address: str, names: Sequence[str], store: Store) -> int:
    """1 where each of up to 32 images spread over the set is stored without colour, else 3.

    Raises:
        UserError: None of them can be read.
    """
    grey, first = [], None
    positions = np.linspace(0, len(names) - 1, min(len(names), _SAMPLE)).astype(int).tolist()
    for position in positions:
        name = names[position]
        try:
            grey.append(is_grey(fetch(store, position, name), name))
        except BadImageError as error:
            first = first or error
    if first and not grey:
        raise UserError(
            f"{address}: none of {len(positions)} images looked at can be read ({first}): "
            "repair them, or point to the right place"
        )
    return 1 if all(grey) else 3


def _class_names(address: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    seen = Counter((entry.part, entry.class_name) for entry in entries)
    trained = {class_name for part, class_name in seen if part == "train"}
    for part, class_name in sorted(seen):
        if trained and class_name not in trained:
            raise UserError(
                f"{address}: the {part} part has images of class {class_name!r}, which the train "
                "part lacks: add that class to train, or take it out"
            )
    return tuple(sorted({class_name for _, class_name in seen}))
