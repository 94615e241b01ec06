"""The roles of the arrays of an .npz, and labels in the forms in which people save them."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from vitreous.data.sample import PART_NAMES, Labels
from vitreous.data.sources.folder_words import part_of_folder, words_of
from vitreous.data.sources.numbered_classes import numbered_classes
from vitreous.errors import UserError

Array = Shaped[np.ndarray, "..."]

_IMAGES = frozenset("x images image imgs img pixels data features".split())
_LABELS = frozenset("y labels label targets target class".split())
_COMPOUND = re.compile(r"([xy])(train|test|val|valid)|(train|test|val|valid)([xy])")
NAMES = ("class_names", "label_names", "classes", "categories", "names")
"""Keys of class names in label order."""


@dataclass(frozen=True)
class PartKeys:
    """The two arrays of one part.

    Attributes:
        images: The key of the images.
        labels: The key of the labels.
    """

    images: str
    labels: str


def part_keys(keys: Collection[str], address: str) -> dict[str, PartKeys]:
    """The arrays of each part, by words in their names: x_train, trainX, train_images, X, images.

    Returns:
        Part -> its keys; empty where the names say nothing.

    Raises:
        UserError: A part has images and no labels, or two arrays could be the same.
    """
    found: dict[tuple[str, str], str] = {}
    for key in sorted(keys):
        role = _role(key)
        if role is None:
            continue
        if role in found:
            raise UserError(
                f"{address}: {found[role]} and {key} could both be the {role[1]} of {role[0]}: "
                "leave one out"
            )
        found[role] = key
    parts = {}
    for part in PART_NAMES:
        images, labels = found.get((part, "images")), found.get((part, "labels"))
        if images and labels:
            parts[part] = PartKeys(images, labels)
        elif images and parts:
            raise UserError(
                f"{address}: holds {images} and no labels of it: save them as y_{part}, or leave "
                "it out"
            )
    return parts


def _role(key: str) -> tuple[str, str] | None:
    """Part, and `images` or `labels`; None for any other array."""
    if key in NAMES[:2]:
        return None
    compound = re.fullmatch(
        r"([xy])(train|test|val|valid)|(train|test|val|valid)([xy])", key.lower()
    )
    if compound:
        words = [compound[1] or compound[4]]
        part = part_of_folder(compound[2] or compound[3])
    else:
        words = words_of(key)
        part = next((own for word in words if (own := part_of_folder(word))), "train")
    rest = [word for word in words if part_of_folder(word) is None]
    if len(rest) != 1 or part is None:
        return None
    if rest[0] in _IMAGES:
        return part, "images"
    return (part, "labels") if rest[0] in _LABELS else None


def positional_keys(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, PartKeys]:
    """The arrays of `numpy.savez(FILE, images, labels)`, which has given them numbers."""
    if set(shapes) != {"arr_0", "arr_1"}:
        return {}
    images = [key for key, shape in shapes.items() if len(shape) in (3, 4)]
    labels = [key for key, shape in shapes.items() if len(shape) in (1, 2)]
    if len(images) != 1 or len(labels) != 1:
        return {}
    return {"train": PartKeys(images[0], labels[0])}


def coded_labels(
    arrays: Mapping[str, Array], names: tuple[str, ...], address: str
) -> tuple[tuple[str, ...], dict[str, Labels], str]:
    """Class names and labels of several arrays, one a part, that share their classes.

    Args:
        arrays: Key -> labels: whole numbers or words, (N,) or (N, 1); or rows of zeros and ones,
            (N, K).
        names: Class names in label order, or none.
        address: What the user typed.

    Returns:
        Class names; key -> class indices, or multi-hot rows where some row has not exactly one;
        and how the labels were read, in words.

    Raises:
        UserError: Labels of another form, or more classes than names.
    """
    flat = {key: _flat(own, key, address) for key, own in arrays.items()}
    dims = {own.ndim for own in flat.values()}
    if len(dims) > 1:
        raise UserError(f"{address}: {', '.join(flat)} are of different forms: save them alike")
    if dims == {2}:
        return _rows(flat, names, address)
    if any(own.dtype.kind in "US" for own in flat.values()):
        texts = {key: _texts(own) for key, own in flat.items()}
        words = names or tuple(sorted({word for own in texts.values() for word in own}))
        place = {word: number for number, word in enumerate(words)}
        unknown = next((w for own in texts.values() for w in own if w not in place), None)
        if unknown is not None:
            raise UserError(f"{address}: class_names lacks {unknown!r}: give each class one")
        coded = {key: np.array([place[w] for w in own], np.int64) for key, own in texts.items()}
        return words, coded, f"words in {', '.join(flat)}"
    joined = np.concatenate(list(flat.values()))
    if not joined.size:
        raise UserError(f"{address}: holds no images: save at least two classes of them")
    if joined.min() < 0:
        raise UserError(
            f"{address}: {next(iter(flat))} holds {joined.min()}: number the classes from 0"
        )
    counted, codes = numbered_classes(joined)
    edges = np.cumsum([len(own) for own in flat.values()])[:-1]
    _check_names(names, int(codes.max()) + 1, address)
    pieces = dict(zip(flat, np.split(codes, edges), strict=True))
    return names or counted, pieces, f"numbers in {', '.join(flat)}"


def _flat(labels: Array, key: str, address: str) -> Array:
    """Labels of one axis, or of rows of zeros and ones; numbers as whole ones."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind == "b":
        labels = labels.astype(np.int64)
    if labels.ndim not in (1, 2) or labels.dtype.kind not in "iufUS":
        raise UserError(
            f"{address}: {key} is {labels.dtype} with {labels.ndim} axes, not one class an image: "
            "save whole numbers from 0 or names, (N,), or rows of zeros and ones, (N, K)"
        )
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all() or (labels != labels.round()).any():
            raise UserError(
                f"{address}: {key} holds numbers with fractions, which are no classes: save whole "
                "numbers from 0, or probabilities p as p.argmax(1)"
            )
        labels = labels.astype(np.int64)
    if labels.ndim == 2 and (
        labels.dtype.kind not in "iu" or not ((labels == 0) | (labels == 1)).all()
    ):
        raise UserError(
            f"{address}: {key} has shape {labels.shape} and is no rows of zeros and ones: save one "
            "class index an image"
        )
    return labels


def _rows(
    flat: Mapping[str, Array], names: tuple[str, ...], address: str
) -> tuple[tuple[str, ...], dict[str, Labels], str]:
    """Labels of rows of zeros and ones: class indices where each row has exactly one."""
    widths = {own.shape[1] for own in flat.values()}
    if len(widths) > 1:
        raise UserError(f"{address}: {', '.join(flat)} have different numbers of classes")
    (width,) = widths
    _check_names(names, width, address)
    class_names = names or tuple(map(str, range(width)))
    if all((own.sum(1) == 1).all() for own in flat.values()):
        found: dict[str, Labels] = {key: own.argmax(1) for key, own in flat.items()}
        return class_names, found, f"rows of {', '.join(flat)}, of which each has exactly one 1"
    rows: dict[str, Labels] = {key: own.astype(np.uint8) for key, own in flat.items()}
    return class_names, rows, f"rows of {', '.join(flat)}"


def _texts(labels: Array) -> list[str]:
    texts = labels.tolist()
    return [t.decode("utf-8", "replace") if isinstance(t, bytes) else str(t) for t in texts]


def _check_names(names: tuple[str, ...], count: int, address: str) -> None:
    if names and (len(names) < count or len(set(names)) < len(names)):
        raise UserError(
            f"{address}: class_names has {len(set(names))} different names for labels up to "
            f"{count - 1}: give each class one"
        )


def levels_advice(pixels: Array, key: str) -> str:
    """Return how to save pixels that are not uint8, by the values that they have."""
    low, high = (float(pixels.min()), float(pixels.max())) if pixels.size else (0.0, 0.0)
    kind = pixels.dtype.kind
    wide = f"({key}.astype(float) * 255 / {{}}).round().astype('uint8')"
    ways: list[tuple[Callable[[], bool], str]] = [
        (lambda: kind == "b", f"{key}.astype('uint8') * 255"),
        (lambda: not np.isfinite([low, high]).all(), f"numpy.nan_to_num({key}) first"),
        (lambda: kind == "f" and low >= 0 and high <= 1, f"({key} * 255).round().astype('uint8')"),
        (lambda: kind == "f" and -1 <= low < 0 and high <= 1,
         f"(({key} + 1) * 127.5).round().astype('uint8')"),
        (lambda: 0 <= low and high <= 255, f"{key}.round().astype('uint8')" if kind == "f"
         else f"{key}.astype('uint8')"),
        (lambda: kind == "u" and pixels.dtype.itemsize == 2 and high > 2**15,
         f"({key} // 257).astype('uint8')"),
        (lambda: low >= 0, wide.format(f"{high:g}")),
    ]  # fmt: skip
    scaled = f"(({key} - {low:g}) * (255 / {high - low:g})).round().astype('uint8')"
    return next((way for fits, way in ways if fits()), scaled)
