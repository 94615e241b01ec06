"""NumPy archives as checkpoints: one tensor at a time, straight from the file's bytes.

`numpy.load` would read each member through the zip layer, piece by piece. An archive that
`numpy.savez` wrote stores its members plainly, so here their bytes go in one read into memory that
is used again and again. Objects are refused: they would need code to be run.
"""

import math
import struct
import threading
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from vitreous.errors import UserError, in_one_line
from vitreous.weights.bounds import MAX_LAYERS

_STACK = "/encoderblock/"
# Bytes that deflate can make of one, at most; bytes that are read at once for a checksum.
_MOST_PACKED, _PIECE = 1032, 1 << 22
_LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip member: lengths of its name and extra field
# What zipfile and NumPy's header reader raise on damaged bytes, all met in fuzzing.
_DAMAGE = (
    EOFError,
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


class _Member(NamedTuple):
    """An array of an archive.

    Attributes:
        info: The zip's member, of which it may be one layer.
        dtype: Of its numbers.
        fortran: Whether the first axis runs fastest.
        start: Its first byte, in the file or, where packed, unpacked.
        checksum: Of what comes before it in the member, where it is all the rest of that.
    """

    info: zipfile.ZipInfo
    dtype: np.dtype
    fortran: bool
    start: int
    checksum: int | None


class NpzArchive:
    """The arrays of an `.npz`, by name; each is read when asked for.

    big_vision saves layers that it scanned over in one array, whose first axis is theirs
    (`Transformer/encoderblock/...`); here each layer is an array with its own number in its name.

    Attributes:
        shapes: Shape of each array.

    Raises:
        UserError: A truncated or damaged archive, a member that is no array, or one of objects.
    """

    shapes: dict[str, tuple[int, ...]]

    def __init__(self, file: Path) -> None:
        self._file = file
        self._members: dict[str, _Member] = {}
        self._scratch = threading.local()
        self._size = file.stat().st_size
        self._sound: set[str] = set()
        self._lock = threading.Lock()
        self.shapes = {}
        try:
            self._archive = zipfile.ZipFile(file)
            for member in self._archive.infolist():
                self._index(member)
        except _DAMAGE as error:
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"{file} is a damaged or truncated .npz: {in_one_line(error)}"
            ) from error

    def _index(self, member: zipfile.ZipInfo) -> None:
        name = member.filename.removesuffix(".npy")
        packed = 1 if member.compress_type == zipfile.ZIP_STORED else _MOST_PACKED
        if member.file_size > packed * member.compress_size or member.compress_size > self._size:
            raise UserError(f"{self._file}: {name} claims more bytes than the file has")
        with self._open(member) as stream:
            first = stream.tell()
            shape, fortran, dtype = _read_header(stream)
            start = stream.tell()
            stream.seek(first)
            checksum = zlib.crc32(stream.read(start - first))
        if dtype.hasobject:
            raise UserError(
                f"{self._file}: {name} holds Python objects, and unpickling them would run code: "
                "save the plain arrays"
            )
        if _bytes(shape, dtype) > member.file_size:
            raise UserError(f"{self._file}: {name} is shorter than its shape {shape} says")
        if _STACK in name and shape and not fortran:
            if shape[0] > MAX_LAYERS:
                raise UserError(f"{self._file}: {name} claims {shape[0]:,} layers")
            for layer in range(shape[0]):
                one = name.replace(_STACK, f"{_STACK[:-1]}_{layer}/")
                at = start + layer * _bytes(shape[1:], dtype)
                self._members[one] = _Member(member, dtype, fortran, at, None)
                self.shapes[one] = shape[1:]
            return
        ends = start - first + _bytes(shape, dtype) == member.file_size
        self._members[name] = _Member(member, dtype, fortran, start, checksum if ends else None)
        self.shapes[name] = shape

    def read(self, name: str) -> Tensor:
        """One array as a tensor, whose memory the next call of the same thread uses again.

        bfloat16, which NumPy lacks, is known by its void type.

        Raises:
            UserError: Its bytes are damaged, by the archive's own checksum or otherwise, or no
                tensor can hold its type.
        """
        member, dtype, fortran, start, checksum = self._members[name]
        count = _bytes(self.shapes[name], dtype)
        if len(getattr(self._scratch, "bytes", b"")) < count:
            # Not NumPy's memory: it asks for huge pages, for which others may have to be moved.
            self._scratch.bytes = torch.empty(count, dtype=torch.uint8).numpy()
        raw = self._scratch.bytes[:count]
        try:
            with self._open(member, start) as stream:
                if stream.readinto(raw.data) != count:
                    raise EOFError("it ends too early")
            if checksum is None:
                self._check(member)
            elif zlib.crc32(raw.data, checksum) != member.CRC:
                raise zipfile.BadZipFile("its checksum is another: it was changed")
        except _DAMAGE as error:
            raise UserError(f"{self._file}: {name} cannot be read: {in_one_line(error)}") from error
        array = raw.view(dtype).reshape(self.shapes[name][:: -1 if fortran else 1])
        array = array.T if fortran else array
        if dtype.kind == "V" and dtype.itemsize == 2:
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        try:
            return torch.from_numpy(array.astype(dtype.newbyteorder("="), copy=False))
        except TypeError as error:
            raise UserError(f"{self._file}: {name} is of type {dtype}, not of numbers") from error

    def _check(self, member: zipfile.ZipInfo) -> None:
        """Read a whole member once, for its checksum."""
        with self._lock:
            if member.filename in self._sound:
                return
            with self._archive.open(member) as stream:
                while stream.read(_PIECE):
                    pass
            self._sound.add(member.filename)

    def _open(self, member: zipfile.ZipInfo, start: int | None = None) -> BufferedIOBase:
        """A member's bytes, from where its own begin or from where its header was found to end."""
        stored = member.compress_type == zipfile.ZIP_STORED
        stream = self._file.open("rb") if stored else self._archive.open(member)
        try:
            if stored and start is None:
                stream.seek(member.header_offset)
                start = sum(_LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))) + stream.tell()
            stream.seek(start or 0)
        except BaseException:
            stream.close()
            raise
        return cast(BufferedIOBase, stream)


def _bytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return math.prod(shape) * dtype.itemsize


def _read_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def is_npz(file: Path) -> bool:
    """Whether a zip archive holds arrays, and not a PyTorch checkpoint."""
    try:
        with zipfile.ZipFile(file) as archive:
            return all(name.endswith(".npy") for name in archive.namelist())
    except _DAMAGE as error:
        raise UserError(
            f"{file} is a damaged or truncated archive ({error}): fetch it again"
        ) from error


def write_npz(file: Path, tensors: Iterator[tuple[str, Tensor]]) -> None:
    """Write tensors one by one, stored plainly, as `numpy.savez` does."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, tensor in tensors:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, tensor.numpy(), allow_pickle=False)
