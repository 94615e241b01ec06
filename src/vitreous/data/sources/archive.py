"""A tar of class folders, read in place: indexed once, then read at offsets, never extracted.

What `vitreous.data.sources.tar_listing` ignores is counted in the data set's notes. Of members with
the same name, the last counts, as for tar. A compressed tar cannot be read at an offset and is
refused with the command that unpacks it, but for CIFAR's downloads, which are read whole.
"""

import shlex
from pathlib import Path

import numpy as np

from vitreous.data.reading import ReadingOptions
from vitreous.data.sample import Dataset
from vitreous.data.sources.cifar import is_cifar_archive, open_cifar
from vitreous.data.sources.encoded import encoded_dataset
from vitreous.data.sources.shard_scan import is_samples
from vitreous.data.sources.shards import open_shards
from vitreous.data.sources.spans import SpanStore
from vitreous.data.sources.tar_listing import list_tar
from vitreous.data.sources.tree import class_tree
from vitreous.errors import UserError

# First bytes -> the program that undoes the compression.
_COMPRESSED = {
    b"\x1f\x8b": "gunzip",
    b"BZh": "bunzip2",
    b"\xfd7zXZ": "unxz",
    b"\x28\xb5\x2f\xfd": "unzstd",
}


def compression(head: bytes) -> str | None:
    """The program that unpacks a compressed file, by its first bytes; None for any other file."""
    return next((program for magic, program in _COMPRESSED.items() if head.startswith(magic)), None)


def open_archive(path: Path, address: str, options: ReadingOptions | None = None) -> Dataset:
    """Open an uncompressed tar by the rule of `vitreous.data.sources.tree`.

    Images are named by their member names.

    Raises:
        UserError: The archive is compressed, damaged or cut short, or its tree does not follow
            the rule.
    """
    if is_cifar_archive(path):
        return open_cifar(path, address)
    with open(path, "rb") as file:
        program = compression(file.read(8))
    if program:
        raise UserError(
            f"{address}: a compressed archive cannot be read in place: unpack it once with "
            f"`{program} {shlex.quote(path.name)}`, and give the .tar"
        )
    listing = list_tar(path)
    if is_samples(listing.names):
        return open_shards([path], address)
    if listing.damage is not None:
        raise UserError(
            f"{address}: not a whole tar archive ({listing.damage}): copy or make it again"
        )
    members = dict(
        zip(listing.names, zip(listing.offsets, listing.sizes, strict=True), strict=True)
    )
    tree = class_tree(members, address, options)
    entries, notes = tree.entries, dict(tree.notes)
    if listing.ignored:
        notes["unsafe members"] = (
            f"ignored {listing.ignored} links, devices or names that climb out"
        )
    spans = np.array([members[entry.name] for entry in entries], np.int64)
    store = SpanStore([path.absolute()], np.zeros(len(spans), np.int64), spans[:, 0], spans[:, 1])
    return encoded_dataset(address, entries, store, notes, tree.reading)
