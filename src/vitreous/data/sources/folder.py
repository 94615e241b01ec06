"""A folder of class folders, with or without train, val and test folders above them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitreous.data.reading import ReadingOptions
from vitreous.data.sample import Dataset
from vitreous.data.sources.encoded import MAX_BYTES, encoded_dataset
from vitreous.data.sources.folder_words import PART_FOLDERS
from vitreous.data.sources.names import PackedNames
from vitreous.data.sources.tree import Tree, class_tree
from vitreous.errors import UserError
from vitreous.files import read_file


@dataclass(frozen=True)
class FileStore:
    """Images that are files of their own.

    Attributes:
        root: What the paths are relative to.
        paths: One per image, relative to `root` or absolute.
    """

    root: Path
    paths: Sequence[str]

    def fetch(self, position: int) -> bytes:
        """The whole file of one image (see `Store.fetch`)."""
        return read_file(os.path.join(self.root, self.paths[position]), MAX_BYTES)


def open_folder(root: Path, address: str, options: ReadingOptions | None = None) -> Dataset:
    """Open a folder by the rule of `vitreous.data.sources.tree`; images are named by their path.

    The tree is listed once; symbolic links are followed, each folder at most once.

    Raises:
        UserError: A folder cannot be listed, or has no images.
    """
    return tree_dataset(root, class_tree(list_folder(root, address), address, options), address)


def list_folder(root: Path, address: str) -> list[str]:
    """Paths of all files below a folder (see `files_below`).

    Raises:
        UserError: A folder cannot be listed.
    """
    try:
        return list(files_below(root))
    except OSError as fault:
        raise UserError(
            f"{address}: cannot list {fault.filename} ({fault.strerror}): make it readable"
        ) from fault


def tree_dataset(root: Path, tree: Tree, address: str) -> Dataset:
    """Make a data set of the files of a folder.

    Args:
        root: The folder.
        tree: What it holds.
        address: What the user typed.
    """
    notes = dict(tree.notes)
    used = {entry.name.split("/")[0] for entry in tree.entries}
    empty = sorted(name for name in os.listdir(root) if name.lower() in PART_FOLDERS)
    if empty := [f"{name}/" for name in empty if name not in used]:
        notes["empty parts"] = f"{', '.join(empty)} without images in class folders"
    names = PackedNames.pack(entry.name for entry in tree.entries)
    store = FileStore(root.absolute(), names)
    return encoded_dataset(address, tree.entries, store, notes, tree.reading, names)


def files_below(root: Path) -> Iterator[str]:
    """Paths of all regular files below `root`, relative to it, but for hidden folders."""
    seen = set()
    waiting = [(root, "")]
    while waiting:
        folder, prefix = waiting.pop()
        state = os.stat(folder)
        if (state.st_dev, state.st_ino) in seen:
            continue  # a link back to where we have been
        seen.add((state.st_dev, state.st_ino))
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                try:
                    is_folder, is_file = entry.is_dir(), entry.is_file()
                except OSError:  # a link to itself, or into where we may not look
                    continue
                if is_folder:
                    waiting.append((folder / entry.name, f"{prefix}{entry.name}/"))
                elif is_file:  # no pipe, socket or device: reading one may never end
                    yield prefix + entry.name
