"""Groups of images of one patient or scene; a split keeps each group in one part."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from vitreous.data.reading import ReadingOptions, searched
from vitreous.data.sample import Dataset, Labels
from vitreous.errors import UserError

_SPEAKING = re.compile(
    r"(?<![a-z])(patient|subject|person|case|study|lesion|video|scene|sequence|clip|slide)"
    r"[ _-]?\d+",
    re.IGNORECASE,
)


def with_named_groups(dataset: Dataset, options: ReadingOptions) -> Dataset:
    """Give a data set the groups that `group_from_name` tells by the images' names.

    An image whose name it does not fit is a group of its own.

    Raises:
        UserError: It fits no name, gives every image a group of its own, or all the same one.
    """
    if options.group_from_name is None:
        return dataset
    pattern = re.compile(options.group_from_name)
    names = [name for part in dataset.parts.values() for name in part.names]
    groups = {name: searched(pattern, name) or name for name in names}
    count = len(set(groups.values()))
    if count in (1, len(names)):
        found = "one group of all images" if count == 1 else "no two images of one group"
        raise UserError(
            f"{dataset.address}: --group-from-name {options.group_from_name!r} gives {found} "
            f"(of {names[0]}: {groups[names[0]]}): mend the expression"
        )
    alone = sum(group == name for name, group in groups.items())
    how = f"--group-from-name {options.group_from_name}"
    if alone:
        how += f" ({alone} images whose names it does not fit are groups of their own)"
    return replace(dataset, groups=groups, reading=replace(dataset.reading, groups=how))


def groups_across_parts(dataset: Dataset) -> dict[str, list[str]]:
    """Groups with images in several parts -> those parts."""
    parts: dict[str, list[str]] = {}
    for part, images in dataset.parts.items():
        for group in {dataset.groups[name] for name in images.names if name in dataset.groups}:
            parts.setdefault(group, []).append(part)
    return {group: own for group, own in parts.items() if len(own) > 1}


def share_of_groups(
    groups: list[str], labels: Labels, num_classes: int, fraction: float, seed: int
) -> Int64[np.ndarray, " chosen"]:
    """Positions of whole groups that hold about a fraction of each class; ascending.

    Groups are taken in a seeded order, large ones first, each where it brings the chosen counts
    closer to the wanted share of every class. A group that alone holds all images of a class stays
    out, as long as another can be chosen.

    Args:
        groups: Of each image.
        labels: Class indices or multi-hot rows.
        num_classes: K.
        fraction: Between 0 and 1.
        seed: Of the order.
    """
    names, group_of = np.unique(np.array(groups, object).astype(str), return_inverse=True)
    counts = _counts(group_of, labels, len(names), num_classes)
    sizes = np.bincount(group_of, minlength=len(names)).astype(float)
    table = np.concatenate([counts, sizes[:, None]], axis=1)
    total = table.sum(0)
    weight = 1 / np.maximum(total, 1)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    wanted, chosen = fraction * total, np.zeros(len(names), bool)
    sum_chosen = np.zeros_like(total)
    for group in order:
        after = sum_chosen + table[group]
        alone = ((total - after)[:-1] <= 0) & (total[:-1] > 0) & (table[group][:-1] > 0)
        if alone.any() or chosen.sum() == len(names) - 1:
            continue
        if _distance(after, wanted, weight) < _distance(sum_chosen, wanted, weight):
            chosen[group], sum_chosen = True, after
    if not chosen.any():
        chosen[order[-1]] = True
    return np.flatnonzero(chosen[group_of])


def _distance(
    have: Float64[np.ndarray, " n"],
    wanted: Float64[np.ndarray, " n"],
    weight: Float64[np.ndarray, " n"],
) -> float:
    return float((((have - wanted) * weight) ** 2).sum())


def _counts(
    group_of: Int64[np.ndarray, " n"], labels: Labels, groups: int, num_classes: int
) -> Float64[np.ndarray, "G K"]:
    counts = np.zeros((groups, num_classes))
    if labels.ndim == 2:
        np.add.at(counts, group_of, labels.astype(float))
    else:
        np.add.at(counts, (group_of, labels), 1.0)
    return counts


def groups_in_names(names: Sequence[str]) -> tuple[str, int] | None:
    """A pattern by which names speak of groups of several images, and how many; or None."""
    found = Counter(
        (match[1].lower(), match[0].lower())
        for name in names
        if (match := _SPEAKING.search(name)) is not None
    )
    if not found or 2 * found.total() < len(names):
        return None
    word = found.most_common(1)[0][0][0]
    count = len({group for own, group in found if own == word})
    if count < 2 or 2 * count > found.total():
        return None
    return rf"(?i){word}[ _-]?\d+", count


def count_groups(groups: Mapping[str, str]) -> tuple[int, int]:
    """Return the number of groups, and the images of the largest."""
    sizes = Counter(groups.values())
    return len(sizes), max(sizes.values(), default=0)
