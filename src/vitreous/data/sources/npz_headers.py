"""What the arrays of an .npz claim, held against the archive before one of them is unpacked."""

import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from vitreous.errors import UserError

ZIP_DAMAGE = (
    EOFError,
    IndexError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and NumPy's header reader raise of damaged bytes."""

# Bytes that deflate can make of one, at most.
_MOST_PACKED = 1032


def check_headers(path: Path, address: str) -> None:
    """Refuse an archive whose arrays are larger than it can hold, or do not go together.

    Args:
        path: The .npz.
        address: What the user typed.

    Raises:
        UserError: An array claims more than its member has, or `x` and `y` differ in their rows.
    """
    rows = {}
    with zipfile.ZipFile(path) as archive:
        size = path.stat().st_size
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name == member.filename:
                continue
            if member.file_size > _MOST_PACKED * max(member.compress_size, 1) or (
                member.compress_size > size
            ):
                raise UserError(f"{address}: {name} claims to be larger than it can be unpacked to")
            shape, dtype = _claim(archive, member)
            if not dtype.hasobject and math.prod(shape) * dtype.itemsize > member.file_size:
                raise UserError(
                    f"{address}: {name} is shorter than its shape {shape} says: save it again"
                )
            if name == "y" and shape or name == "x" and len(shape) > 2:
                rows[name] = shape[0]
    if len(set(rows.values())) > 1:
        raise UserError(
            f"{address}: {rows['x']} images in x but {rows['y']} labels in y: save both from one "
            "set"
        )


def _claim(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array, from the first bytes of its member."""
    with archive.open(member) as stream:
        if np.lib.format.read_magic(stream) == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    return shape, dtype
