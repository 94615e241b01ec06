"""Parts whose images are encoded files, wherever the bytes lie."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.crop import BoxRule
from vitreous.data.decode import decode, is_grey
from vitreous.data.reading import Reading
from vitreous.data.region import decode_region
from vitreous.data.sample import PART_NAMES, Dataset, Labels
from vitreous.data.sources.names import PackedNames
from vitreous.errors import BadImageError, UserError, in_one_line
from vitreous.files import patiently

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
        labels: Class indices, or multi-hot rows.
        positions: Of each image in the store.
        store: Where the files lie.
        channels: C of every image read, 1 or 3.
    """

    names: Sequence[str]
    labels: Labels
    positions: Int64[np.ndarray, " n"]
    store: Store
    channels: int
    decodes: ClassVar[bool] = True

    def file(self, index: int) -> bytes:
        """The whole file of one image.

        Raises:
            BadImageError: It cannot be had.
        """
        return fetch(self.store, int(self.positions[index]), self.names[index])

    def read(self, index: int, min_side: int | None = None) -> UInt8[np.ndarray, "H W C"]:
        """Decode one image (see `vitreous.data.sample.Part.read`)."""
        return decode(self.file(index), self.names[index], self.channels, min_side)

    def read_crop(
        self, index: int, rule: BoxRule, size: tuple[int, int]
    ) -> UInt8[np.ndarray, "h w C"]:
        """Decode a box of one image (see `vitreous.data.sample.CropPart.read_crop`)."""
        return decode_region(self.file(index), self.names[index], self.channels, rule, size)


def fetch(store: Store, position: int, name: str) -> bytes:
    """Bytes of one image file; a BadImageError where they cannot be had.

    Raises:
        BadImageError: The file itself is at fault.
        MachineError: The machine is, also after several tries.
    """
    try:
        return patiently(lambda: store.fetch(position), name)
    except OSError as fault:
        raise BadImageError(name, fault.strerror or in_one_line(fault)) from fault


def check_bytes(size: int) -> None:
    """Refuse a file of more than `MAX_BYTES` bytes with an OSError."""
    if size > MAX_BYTES:
        raise OSError(f"the file is over the limit of {MAX_BYTES >> 20} MiB")


def encoded_dataset(
    address: str,
    entries: Sequence[Entry],
    store: Store,
    notes: Mapping[str, str],
    reading: Reading | None = None,
    names: PackedNames | None = None,
) -> Dataset:
    """Make a data set of a listing; no image is decoded, and at most 32 headers are read.

    Class names are sorted, over all parts. Channels are 3, unless each of up to 32 images spread
    over the whole set is stored without colour: then 1 (`sample_channels`).

    Args:
        address: What the user typed.
        entries: One per image; the store's position of each is its index here.
        store: Where the files lie.
        notes: What the user should know.
        reading: What was taken for what.
        names: Those of the entries, where they are packed already.

    Raises:
        UserError: None of the images looked at can be read.
    """
    class_names = tuple(sorted({entry.class_name for entry in entries}))
    label = {name: index for index, name in enumerate(class_names)}
    return listed_dataset(
        address=address,
        names=names or PackedNames.pack(entry.name for entry in entries),
        labels=np.array([label[entry.class_name] for entry in entries], np.int64),
        part_of=np.array([PART_NAMES.index(entry.part) for entry in entries]),
        class_names=class_names,
        store=store,
        notes=notes,
        reading=reading,
    )


def listed_dataset(
    *,
    address: str,
    names: PackedNames,
    labels: Labels,
    part_of: Int64[np.ndarray, " n"],
    class_names: tuple[str, ...],
    store: Store,
    notes: Mapping[str, str],
    channels: int | None = None,
    image_size: tuple[int, int] | None = None,
    reading: Reading | None = None,
    groups: Mapping[str, str] | None = None,
) -> Dataset:
    """Make a data set of a listing in columns, one row an image; the store has the rows' order.

    Args:
        address: What the user typed.
        names: A unique name per image.
        labels: Class indices, or multi-hot rows where an image may have several labels.
        part_of: Of each image, its part's position in `PART_NAMES`.
        class_names: In label order.
        store: Where the files lie.
        notes: What the user should know.
        channels: C of every image, 1 or 3; told from a few images (`sample_channels`) where None.
        image_size: (H, W) where every image is known to share it.
        reading: What was taken for what.
        groups: Name of an image -> its group.

    Raises:
        UserError: None of the images looked at can be read.
    """
    if channels is None:
        channels = sample_channels(address, names, store)
    parts = {}
    for number, part in enumerate(PART_NAMES):
        positions = np.flatnonzero(part_of == number)
        if positions.size:
            own = names.take(positions)
            parts[part] = EncodedPart(own, labels[positions], positions, store, channels)
    return Dataset(
        address=address,
        class_names=class_names,
        parts=parts,
        channels=channels,
        image_size=image_size,
        notes=dict(notes),
        multi_label=labels.ndim == 2,
        reading=reading or Reading(),
        groups=groups or {},
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


def check_trained(address: str, class_names: Sequence[str], labels: Mapping[str, Labels]) -> None:
    """Refuse a class that a part has and training lacks; without a train part, nothing.

    Args:
        address: What the user typed.
        class_names: In label order.
        labels: Of each part that there is; empty ones count as absent.

    Raises:
        UserError: Names the class and the part.
    """
    seen = {part: class_counts(own, len(class_names)) > 0 for part, own in labels.items()}
    trained = seen.get("train")
    if trained is None or not trained.any():
        return
    for part, present in seen.items():
        if (unknown := np.flatnonzero(present & ~trained)).size:
            name = class_names[unknown[0]]
            known = [class_names[place] for place in np.flatnonzero(trained).tolist()]
            like = next((other for other in known if same_letters(name, other)), None)
            fix = "add that class to train, or take it out"
            if like is not None:
                fix = f"train has {like!r}, of the same letters: give both the same name"
            raise UserError(
                f"{address}: the {part} part has images of class {name!r}, which the train part "
                f"lacks: {fix}"
            )


def same_letters(name: str, other: str) -> bool:
    """Return whether two names differ at most in case, blanks, marks and Unicode form."""
    return letters_of(name) == letters_of(other)


def letters_of(name: str) -> str:
    """A name without case, blanks and marks, in one Unicode form."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\W_]+", "", text) or text


def class_counts(labels: Labels, num_classes: int) -> Int64[np.ndarray, " K"]:
    """How many images have each class."""
    if labels.ndim == 2:
        return labels.sum(0, dtype=np.int64)
    return np.bincount(labels, minlength=num_classes)
