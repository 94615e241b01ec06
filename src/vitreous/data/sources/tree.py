"""The rule of class folders: which file of a tree is an image of which class of which part.

    CLASS/image.jpg           one part, train
    train/CLASS/image.jpg     parts by the names of the top folders (`PART_FOLDERS`, any case)

Folders around the tree that hold nothing else are passed through. Folders inside a class belong
to the class. Hidden files and folders, files of other kinds and images outside the class folders
are ignored, and counted where they are not hidden.
"""

import re
from collections import Counter
from collections.abc import Iterable
from posixpath import splitext

from vitreous.data.sources.encoded import Entry
from vitreous.errors import UserError

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .gif .bmp .dib .tif .tiff .avif .ppm .pgm .pbm .pnm".split()
)
"""Endings (any case) by which a file counts as an image."""

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


def part_of_words(name: str) -> str:
    """The part that a word of a path speaks of (`imagenet-train-0001`), the last; else train."""
    words = re.split(r"[-_./\\]", name.lower())
    return next((PART_FOLDERS[word] for word in reversed(words) if word in PART_FOLDERS), "train")


def class_tree(files: Iterable[str], address: str) -> tuple[list[Entry], dict[str, str]]:
    """Sort the files of a tree into parts and classes.

    Args:
        files: Paths inside the tree, with forward slashes.
        address: What the user typed, for messages.

    Returns:
        Images in the order of their names, and notes on what was ignored.

    Raises:
        UserError: No images, no class folders, two folders of one part, or part folders and class
            folders side by side.
    """
    images, others = _images(files)
    if not images:
        found = f" (only {_kinds(others)})" if others else ""
        raise UserError(
            f"{address}: no images in it{found}: put each class's images (JPEG, PNG, WebP, GIF, "
            "BMP, TIFF, AVIF or PNM) into a folder of its own"
        )
    rows = [name.split("/") for name in images]
    depth = _wrapper_depth(rows)
    parts = _part_folders(rows, depth, address)
    classes_at = depth + 1 if parts else depth
    entries = [
        Entry(name, parts[row[depth]] if parts else "train", row[classes_at])
        for name, row in zip(images, rows, strict=True)
        if len(row) > classes_at + 1
    ]
    if not entries:
        inside = "its part folders" if parts else "it"
        raise UserError(
            f"{address}: {len(images)} images but no class folders in {inside}: put each class's "
            "images into a folder of its own, as in CLASS/image.jpg"
        )
    notes = {}
    if others:
        notes["other files"] = f"ignored {_kinds(others)}"
    if outside := len(images) - len(entries):
        notes["outside"] = f"ignored {outside} images outside the class folders"
    return entries, notes


def _images(files: Iterable[str]) -> tuple[list[str], Counter[str]]:
    """Sorted names of the images, and how many files of which other endings."""
    images, others = [], Counter[str]()
    for name in files:
        if name.startswith((".", "__MACOSX/")) or "/." in name:
            continue
        suffix = splitext(name)[1].lower()
        if suffix in IMAGE_SUFFIXES:
            images.append(name)
        else:
            others[suffix or "no ending"] += 1
    return sorted(images), others


def _wrapper_depth(rows: list[list[str]]) -> int:
    """How many folders lie around the tree: single ones that are no part and hold folders."""
    depth = 0
    while True:
        inside = [row for row in rows if len(row) > depth + 1]
        tops = {row[depth] for row in inside}
        if len(tops) != 1 or tops.pop().lower() in PART_FOLDERS:
            return depth
        if all(len(row) == depth + 2 for row in inside):
            return depth  # the one folder holds images and no folders: it is a class
        depth += 1


def _part_folders(rows: list[list[str]], depth: int, address: str) -> dict[str, str]:
    """Top folder -> part; empty where the top folders are classes."""
    inside = [row for row in rows if len(row) > depth + 1]
    tops = sorted({row[depth] for row in inside})
    parts = {top: PART_FOLDERS[top.lower()] for top in tops if top.lower() in PART_FOLDERS}
    others = [top for top in tops if top not in parts]
    if parts and others:
        # "train" may be a class, beside "car" and "plane"; but then it holds no folders.
        if all(len(row) == depth + 2 for row in inside if row[depth] in parts):
            return {}
        raise UserError(
            f"{address}: {others[0]}/ lies beside the part folder {next(iter(parts))}/: name it "
            "train, val or test, or move it elsewhere"
        )
    folders: dict[str, str] = {}
    for top, part in parts.items():
        if part in folders:
            raise UserError(f"{address}: both {folders[part]}/ and {top}/ are {part}: keep one")
        folders[part] = top
    return parts


def _kinds(others: Counter[str]) -> str:
    return ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(3))
