"""A tar of class folders, read in place: indexed once, then read at offsets, never extracted.

Only plain files count. Links, devices, sparse files and members whose name is absolute or
climbs out (`..`) are ignored and counted in the data set's notes. Of members with the same name,
the last counts, as for tar. A compressed tar cannot be read at an offset and is refused with the
command that unpacks it.
"""

import os
import shlex
import tarfile
import weakref
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from vitreous.data.sample import Dataset
from vitreous.data.sources.encoded import check_bytes, encoded_dataset
from vitreous.data.sources.tree import class_tree
from vitreous.errors import UserError

# First bytes -> the program that undoes the compression.
_COMPRESSED = {
    b"\x1f\x8b": "gunzip",
    b"BZh": "bunzip2",
    b"\xfd7zXZ": "unxz",
    b"\x28\xb5\x2f\xfd": "unzstd",
}
_BLOCK = tarfile.BLOCKSIZE


class TarStore:
    """Images at offsets of one file.

    Reads are positioned (`os.pread`), so threads and forked processes share one descriptor
    safely; an unpickled copy opens its own.
    """

    def __init__(
        self, path: Path, offsets: Int64[np.ndarray, " n"], sizes: Int64[np.ndarray, " n"]
    ) -> None:
        self.path, self.offsets, self.sizes = path, offsets, sizes
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    def __reduce__(self) -> tuple[type["TarStore"], tuple[object, ...]]:
        return TarStore, (self.path, self.offsets, self.sizes)

    def fetch(self, position: int) -> bytes:
        """The whole file of one image (see `Store.fetch`)."""
        size = int(self.sizes[position])
        check_bytes(size)
        return os.pread(self._descriptor, size, int(self.offsets[position]))


def compression(head: bytes) -> str | None:
    """The program that unpacks a compressed file, by its first bytes; None for any other file."""
    return next((program for magic, program in _COMPRESSED.items() if head.startswith(magic)), None)


def open_archive(path: Path, address: str) -> Dataset:
    """Open an uncompressed tar by the rule of `vitreous.data.sources.tree`.

    Images are named by their member names.

    Raises:
        UserError: The archive is compressed, damaged or cut short, or its tree does not follow
            the rule.
    """
    with open(path, "rb") as file:
        program = compression(file.read(8))
    if program:
        raise UserError(
            f"{address}: a compressed archive cannot be read in place: unpack it once with "
            f"`{program} {shlex.quote(path.name)}`, and give the .tar"
        )
    try:
        members, ignored = _index(path)
    except (tarfile.TarError, OSError, ValueError) as fault:
        raise UserError(
            f"{address}: not a whole tar archive ({fault}): copy or make it again"
        ) from fault
    entries, notes = class_tree(members, address)
    if ignored:
        notes["unsafe members"] = f"ignored {ignored} links, devices or names that climb out"
    spans = np.array([members[entry.name] for entry in entries], np.int64)
    store = TarStore(path.absolute(), spans[:, 0], spans[:, 1])
    return encoded_dataset(address, entries, store, notes)


def _index(path: Path) -> tuple[dict[str, tuple[int, int]], int]:
    """Name -> (offset, size) of each plain file, and how many members were ignored."""
    members: dict[str, tuple[int, int]] = {}
    ignored = 0
    with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            if member.isdir():
                continue
            name = member.name.removeprefix("./")
            if not member.isfile() or member.issparse() or not _stays_inside(name):
                ignored += 1
                continue
            members[name] = (member.offset_data, member.size)
        # tarfile takes a damaged header for the end of the archive; the true end is zeros.
        file.seek(archive.offset)
        if file.read(_BLOCK).strip(b"\0"):
            raise tarfile.ReadError(f"damaged header at byte {archive.offset}")
    return members, ignored


def _stays_inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/")
