"""Which images validate: a stratified, seeded share of training, written down by name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import overload

import numpy as np
from jaxtyping import Int64, UInt8

from vitreous.data.crop import BoxRule
from vitreous.data.groups import share_of_groups
from vitreous.data.sample import PART_NAMES, Dataset, Part, decodes, gather, read_crop
from vitreous.errors import UserError


class Subset:
    """Some images of other parts, in a given order (see `vitreous.data.sample.Part`).

    Beside the labels it holds nine bytes an image.

    Args:
        parts: Where images come from.
        positions: Of each image in its part.
        part_of: Of each image, which of the parts; the first where not given.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        positions: Int64[np.ndarray, " n"],
        part_of: UInt8[np.ndarray, " n"] | None = None,
    ) -> None:
        self.parts, self.positions = parts, positions
        self.part_of = np.zeros(len(positions), np.uint8) if part_of is None else part_of
        first = parts[0].labels
        self.labels = np.empty((len(positions), *first.shape[1:]), first.dtype)
        for number, part in enumerate(parts):
            own = self.part_of == number
            self.labels[own] = part.labels[positions[own]]
        self.decodes = any(map(decodes, parts))

    @property
    def names(self) -> "SubsetNames":
        """A unique name per image."""
        return SubsetNames(self)

    def place(self, index: int) -> tuple[Part, int]:
        """Where an image comes from, and its position there."""
        return self.parts[self.part_of[index]], int(self.positions[index])

    def read(self, index: int, min_side: int | None = None) -> UInt8[np.ndarray, "H W C"]:
        """Decode one image (see `vitreous.data.sample.Part.read`)."""
        part, position = self.place(index)
        return part.read(position, min_side)

    def read_crop(
        self, index: int, rule: BoxRule, size: tuple[int, int]
    ) -> UInt8[np.ndarray, "h w C"]:
        """Decode a box of one image (see `vitreous.data.sample.CropPart.read_crop`)."""
        part, position = self.place(index)
        return read_crop(part, position, rule, size)

    def gather(
        self, indices: Int64[np.ndarray, " b"], size: tuple[int, int]
    ) -> UInt8[np.ndarray, "b H W C"] | None:
        """Copies of some images of one part (see `vitreous.data.sample.GatherPart`)."""
        part_of = self.part_of[indices]
        if not len(indices) or (part_of != part_of[0]).any():
            return None
        return gather(self.parts[part_of[0]], self.positions[indices], size)


class SubsetNames(Sequence[str]):
    """Names of a subset's images, looked up where they are wanted; equal to a list of the same."""

    def __init__(self, subset: Subset) -> None:
        self._subset = subset

    def __len__(self) -> int:
        return len(self._subset.positions)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        part, position = self._subset.place(index)
        return part.names[position]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


def with_validation(
    dataset: Dataset, fraction: float = 0.2, seed: int = 0, *, stratified: bool = True
) -> Dataset:
    """Split a validation part off training, where a data set has training and no validation.

    Where the data set has groups, whole groups are chosen, about the fraction of each class
    (`vitreous.data.groups.share_of_groups`). Else, where images have several labels, the rounded
    fraction of all is chosen; and otherwise each class gives the rounded fraction of its images,
    and keeps at least one in either part. Which ones is chosen by scikit-learn's
    `train_test_split` from its names in order, class by class: the same names and seed give the
    same split on any machine, and a new image moves no image of another class. Images keep their
    order.

    Args:
        dataset: Returned as it is where it has a validation part, or no train part.
        fraction: Share that validates, in [0, 1); 0 means no validation part.
        seed: Of the choice.
        stratified: Else the rounded fraction of all images is chosen, whatever their labels.

    Raises:
        UserError: The fraction is not in [0, 1), there is one class only, or a class has one
            image.
    """
    if not 0 <= fraction < 1:
        raise UserError(f"validation fraction {fraction} is not in [0, 1): 0.2 is usual")
    if fraction == 0 or "train" not in dataset.parts or "validation" in dataset.parts:
        return dataset
    train = dataset.parts["train"]
    stratified = stratified and not dataset.multi_label
    grouped = bool(dataset.groups)
    chosen = (_choose_groups if grouped else _choose)(train, dataset, fraction, seed, stratified)
    everything = np.arange(len(train.labels))
    rest = np.setdiff1d(everything, chosen, assume_unique=True)
    parts = {
        **dataset.parts,
        "train": Subset([train], rest),
        "validation": Subset([train], chosen),
    }
    how = "stratified" if stratified else "at random"
    if grouped:
        how = "whole groups, " + ("stratified as far as they allow" if stratified else "at random")
    note = f"{len(chosen)} of {len(everything)} train images, {how}, seed {seed}"
    return replace(dataset, parts=parts, notes={**dataset.notes, "validation": note})


def split_record(dataset: Dataset) -> dict[str, list[str]]:
    """Part -> names of its images, in order: plain lists, to be written as JSON."""
    return {part: list(dataset.parts[part].names) for part in PART_NAMES if part in dataset.parts}


def apply_split(dataset: Dataset, record: Mapping[str, Sequence[str]]) -> Dataset:
    """Restore the parts of a `split_record`, exactly and by name.

    Images of the data set that the record does not name are left out, and counted in a note.

    Raises:
        UserError: The record names another part than `PART_NAMES` or an image twice, or names
            images that the data set does not hold.
    """
    if not record or not set(record) <= set(PART_NAMES):
        raise UserError(
            f"split: parts are {', '.join(record) or 'none'}: name them {', '.join(PART_NAMES)}"
        )
    parts = list(dataset.parts.values())
    place = {name: at for at, name in enumerate(chain.from_iterable(p.names for p in parts))}
    missing, taken = list[str](), bytearray(len(place))
    for name in chain.from_iterable(record.values()):
        at = place.get(name)
        if at is None:
            missing.append(name)
        elif taken[at]:
            raise UserError(f"split: {name} is named twice: an image belongs to one part")
        else:
            taken[at] = True
    if missing:
        raise UserError(
            f"{dataset.address}: {len(missing)} images of the recorded split are missing "
            f"({', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}): put them back, or "
            "start a new run"
        )
    notes = dict(dataset.notes)
    if extra := len(place) - sum(taken):
        notes["left out"] = f"{extra} images that the recorded split does not name"
    firsts = np.cumsum([0, *(len(part.names) for part in parts)])
    chosen = {}
    for name, names in record.items():
        places = np.fromiter(map(place.__getitem__, names), np.int64, len(names))
        part_of = np.searchsorted(firsts, places, side="right") - 1
        chosen[name] = Subset(parts, places - firsts[part_of], part_of.astype(np.uint8))
    return replace(dataset, parts=chosen, notes=notes)


def share_of_each_class(
    labels: Int64[np.ndarray, " n"], fraction: float, seed: int
) -> Int64[np.ndarray, " chosen"]:
    """Positions of the rounded fraction of each class: at least one, and never all.

    A class of one image gives none. Positions are ascending.

    Args:
        labels: Class indices, in an order that does not depend on chance.
        fraction: Between 0 and 1.
        seed: Of the choice.
    """
    from sklearn.model_selection import train_test_split

    state = seed % 2**32  # scikit-learn takes no more bits
    by_class = np.argsort(labels, kind="stable")
    chosen = [np.empty(0, np.int64)]
    for members in np.split(by_class, np.cumsum(np.bincount(labels))[:-1]):
        if members.size > 1:
            share = int(np.clip(round(fraction * members.size), 1, members.size - 1))
            chosen.append(train_test_split(members, test_size=share, random_state=state)[1])
    return np.sort(np.concatenate(chosen))


def _choose_groups(
    train: Part, dataset: Dataset, fraction: float, seed: int, stratified: bool
) -> Int64[np.ndarray, " chosen"]:
    """Positions of the images of the groups that validate, ascending."""
    by_name = np.array(sorted(range(len(train.labels)), key=train.names.__getitem__))
    groups = [dataset.groups.get(train.names[at], train.names[at]) for at in by_name.tolist()]
    if len(set(groups)) < 2:
        raise UserError(
            f"{dataset.address}: all images to train on are of one group ({groups[0]}, "
            f"{dataset.reading.groups}): give --group-column none, or another"
        )
    labels = train.labels[by_name]
    if not stratified and labels.ndim == 1:
        labels = np.zeros_like(labels)
    return np.sort(by_name[share_of_groups(groups, labels, dataset.num_classes, fraction, seed)])


def _choose(
    train: Part, dataset: Dataset, fraction: float, seed: int, stratified: bool
) -> Int64[np.ndarray, " chosen"]:
    """Positions of the images that validate, ascending."""
    from sklearn.model_selection import train_test_split

    state = seed % 2**32  # scikit-learn takes no more bits
    by_name = np.array(sorted(range(len(train.labels)), key=train.names.__getitem__))
    if not stratified:
        if len(by_name) < 2:
            raise UserError(f"{dataset.address}: 1 image to train on: give at least two")
        share = int(np.clip(round(fraction * len(by_name)), 1, len(by_name) - 1))
        return np.sort(train_test_split(by_name, test_size=share, random_state=state)[1])
    counts = np.bincount(train.labels, minlength=dataset.num_classes)
    present = np.flatnonzero(counts)
    if len(present) < 2:
        name = dataset.class_names[present[0]]
        raise UserError(
            f"{dataset.address}: only one class ({name}) to train on: give at least two"
        )
    if (lonely := np.flatnonzero(counts == 1)).size:
        names = [dataset.class_names[label] for label in lonely[:3]]
        more = f" and {len(lonely) - 3} more" if len(lonely) > 3 else ""
        raise UserError(
            f"{dataset.address}: 1 image only of class {', '.join(names)}{more}, and training and "
            "validation need one each: add images, or take the class out"
        )
    return np.sort(by_name[share_of_each_class(train.labels[by_name], fraction, seed)])
