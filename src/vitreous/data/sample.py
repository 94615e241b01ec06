"""What a data set is to everyone else: named images with labels, in parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast, runtime_checkable

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.crop import BoxRule, cut
from vitreous.data.reading import Reading
from vitreous.errors import UserError

PART_NAMES = ("train", "validation", "test")

Labels = Int64[np.ndarray, " n"] | UInt8[np.ndarray, "n K"]
"""Class indices; or, where an image may have several labels, a row of zeros and ones an image."""


@runtime_checkable
class Part(Protocol):
    """One part of a data set (training, validation or test): storage, and nothing of models."""

    @property
    def names(self) -> Sequence[str]:
        """A unique name per image: its path inside the source, with forward slashes."""

    @property
    def labels(self) -> Labels:
        """Class indices or multi-hot rows, one per image, in `names`' order."""

    def read(self, index: int, min_side: int | None = None) -> UInt8[np.ndarray, "H W C"]:
        """Decode one image; safe to call from several threads at once.

        Args:
            index: Position in `names`.
            min_side: Where given, the decoder may return the image at a reduced scale, as long
                as its shorter side stays at least this many pixels. Without it the pixels are
                exact.

        Returns:
            Pixels, with the data set's number of channels.

        Raises:
            BadImageError: The image cannot be decoded. The caller skips and counts it.
        """


@runtime_checkable
class CropPart(Part, Protocol):
    """A part that spares itself what lies outside a crop, as image files can."""

    @property
    def decodes(self) -> bool:
        """Whether reading is decoding, which is worth a cache or processes of its own."""

    def read_crop(
        self, index: int, rule: BoxRule, size: tuple[int, int]
    ) -> UInt8[np.ndarray, "h w C"]:
        """Decode a box of one image; safe to call from several threads at once.

        Args:
            index: Position in `names`.
            rule: Gives the box from the image's (H, W).
            size: (H, W) that the box will be resized to: it may come at a reduced scale, as long
                as it covers this.

        Raises:
            BadImageError: The image cannot be decoded.
        """


def decodes(part: Part) -> bool:
    """Whether reading images of a part is decoding (`CropPart`)."""
    return bool(getattr(part, "decodes", False))


def read_crop(
    part: Part, index: int, rule: BoxRule, size: tuple[int, int]
) -> UInt8[np.ndarray, "h w C"]:
    """A box of one image of any part, with no more work than the part needs (`CropPart`)."""
    if hasattr(part, "read_crop"):  # isinstance of a protocol takes a tenth of a millisecond
        return cast(CropPart, part).read_crop(index, rule, size)
    pixels = part.read(index)
    return cut(pixels, rule(*pixels.shape[:2]))


@runtime_checkable
class GatherPart(Protocol):
    """Images that lie in memory, of which many are taken as cheaply as one."""

    def gather(
        self, indices: Int64[np.ndarray, " b"], size: tuple[int, int]
    ) -> UInt8[np.ndarray, "b H W C"] | None:
        """Copies of some images; None where not all are in memory and of that (H, W)."""


def gather(
    part: Part | GatherPart, indices: Int64[np.ndarray, " b"], size: tuple[int, int]
) -> UInt8[np.ndarray, "b H W C"] | None:
    """Several whole images at once, where a part has them in memory (`GatherPart`)."""
    return cast(GatherPart, part).gather(indices, size) if hasattr(part, "gather") else None


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set, opened but not read.

    Attributes:
        address: What the user typed.
        class_names: Names in label order.
        parts: By name, any of `PART_NAMES`; at least one.
        channels: Channels of each image (1 or 3 for images files; any for arrays).
        image_size: (H, W) where every image is known to share it, else None.
        notes: What opening found and left out, by subject, in words.
        multi_label: Whether an image may have several labels, or none: then `labels` are rows of
            zeros and ones.
        reading: What was taken for what.
        groups: Name of an image -> its group, of which a split keeps all images in one part; empty
            where there are none.
    """

    address: str
    class_names: tuple[str, ...]
    parts: Mapping[str, Part]
    channels: int
    image_size: tuple[int, int] | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    multi_label: bool = False
    reading: Reading = field(default_factory=Reading)
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)


def label_words(
    class_names: Sequence[str], label: Int64[np.ndarray, ""] | UInt8[np.ndarray, " K"] | np.int64
) -> str:
    """One image's class, or all that it has, in words.

    Args:
        class_names: In label order.
        label: One of a part's `labels`.
    """
    if not np.ndim(label):
        return class_names[int(label)]
    return ", ".join(class_names[own] for own in np.flatnonzero(label).tolist()) or "no label"


def require_one_label(dataset: Dataset, doing: str) -> None:
    """Refuse a data set of several labels an image, where one is needed.

    Args:
        dataset: Any.
        doing: What needs it, such as "training".
    """
    if dataset.multi_label:
        raise UserError(
            f"{dataset.address}: an image may have several labels there, and {doing} takes one: "
            "give a label column of one name a row"
        )
