"""Names of folders that say what is in them: parts, annotations, images, images without labels."""

import re
from collections.abc import Iterable
from functools import lru_cache

PART_FOLDERS = {
    "train": "train",
    "training": "train",
    "train800": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "val200": "validation",
    "test": "test",
    "testing": "test",
}
"""Folder name, in small letters -> part."""

SYSTEM_FOLDERS = frozenset(
    ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found")
)
"""Folders that operating systems and archives leave behind; nothing in them is looked at."""

_PART_WORDS = {
    **PART_FOLDERS,
    "trn": "train",
    "trainval": "train",
    "dev": "validation",
    "eval": "validation",
    "tst": "test",
    "holdout": "test",
}
_CARRIERS = "set|data|dataset|images?|imgs?|folder|dir|split|part"
_COMPOUND = re.compile(
    rf"(?:(train|training|val|valid|validation|test|testing)(?:{_CARRIERS})"
    r"|(?:images?|imgs?|my|all)(train|val|test))"
)
# The masks of a segmentation set, its boxes and its lists.
_ANNOTATIONS = frozenset(
    "mask masks annotation annotations annots annot label labels gt groundtruth segmentation "
    "segmentations segmentationclass segmentationobject seg trimaps trimap labelmap labelmaps "
    "contours bboxes boxes targets outputs".split()
)
_BESIDE_ANNOTATIONS = frozenset(
    "ground truth train val test training validation testing images image img png binary semantic "
    "instance pixel object class data".split()
)
_IMAGES = frozenset(
    "images image imgs img jpegimages photos photo pictures pics pic jpg jpeg png originals "
    "original raw data all files dataset frames inputs".split()
)
_UNLABELLED = frozenset(
    "pred predict prediction predictions unlabeled unlabelled unlabel unsup unsupervised inference "
    "submission unknown unsorted".split()
)
_MASK_WORDS = ("mask", "seg", "gt", "ground", "annotation", "label", "trimap", "pseudo")
_MASK_FILE = re.compile(
    r"^(.+?)[\s_.-]+(?:masks?|seg|segmentation|gt|ground_?truth|annotation|labels?|trimap|pseudo)"
    r"(?:[\s_-]*\d+)?$",
    re.IGNORECASE,
)


def words_of(name: str) -> list[str]:
    """The words of a name in small letters; capitals, digits and marks part them."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", " ", name)
    return re.findall(r"[a-z]+|\d+", spaced.lower())


@lru_cache(4096)
def part_of_folder(name: str) -> str | None:
    """The part that a folder's name speaks of, as `seg_train`, `val2017` and `testSet` do.

    None where it speaks of none, of two (`train_test`), or of masks and predictions.
    """
    if (exact := PART_FOLDERS.get(name.lower())) is not None:
        return exact
    words = words_of(name)
    # `seg_train` is a part of photographs; `train_masks` is none.
    if _says_annotations(set(words) - {"seg"}) or set(words) & _UNLABELLED:
        return None
    found = {part for word in words if (part := _part_of_word(word)) is not None}
    return found.pop() if len(found) == 1 else None


def _part_of_word(word: str) -> str | None:
    if word in _PART_WORDS:
        return _PART_WORDS[word]
    if (compound := _COMPOUND.fullmatch(word)) is not None:
        return _PART_WORDS[compound[1] or compound[2]]
    return None


def part_of_words(name: str) -> str:
    """The part that a word of a path speaks of (`imagenet-train-0001`), the last; else train."""
    words = re.split(r"[-_./\\]", name.lower())
    parts = (_part_of_word(word) for word in reversed(words))
    return next((part for part in parts if part is not None), "train")


@lru_cache(4096)
def is_annotations(name: str) -> bool:
    """Return whether a folder is called as masks, boxes and other annotations are."""
    words = words_of(name)
    if not _says_annotations(words) or part_of_folder(name) is not None:
        return False
    return all(
        word in _ANNOTATIONS or word in _BESIDE_ANNOTATIONS or word.isdecimal() for word in words
    )


def _says_annotations(words: Iterable[str]) -> bool:
    own = set(words)
    return bool(own & _ANNOTATIONS) or {"ground", "truth"} <= own


def is_images(name: str) -> bool:
    """Return whether a folder's name says no more than that images are in it."""
    return name.lower() in _IMAGES


def is_unlabelled(name: str) -> bool:
    """Return whether a folder is called as images without labels are, such as `seg_pred`."""
    return bool(set(words_of(name)) & _UNLABELLED)


def may_hold_masks(names: Iterable[str]) -> bool:
    """Return whether a word for masks stands anywhere in some file names; quick for many."""
    text = "/".join(names).lower()
    return any(word in text for word in _MASK_WORDS)


def masked_stem(stem: str) -> str | None:
    """The stem of the image that a mask belongs to, by the mask's own name; None for others."""
    found = _MASK_FILE.match(stem)
    return found[1] if found and found[1] != stem else None
