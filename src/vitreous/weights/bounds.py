"""What a checkpoint claims, held against what its file has, before anything is built or read.

* A `.pth` is a zip whose entries PyTorch never packs; what is unpickled is small (`check_pth`).
* Its tensors have no more numbers than their storage, and are plain and dense (`own_tensor`).
* A tensor that was read no longer depends on its file (`own_tensor`).
* An architecture has no more layers and no wider ones than the file has numbers for
  (`check_architecture`).
"""

import io
import math
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, cast

import torch
from torch import Tensor

from vitreous.data.preprocessing import MAX_SIDE
from vitreous.errors import UserError
from vitreous.model.config import ModelConfig

MAX_PICKLE = 8 * 2**20
"""Largest pickle in a `.pth`, bytes: names, shapes and settings. Models of thousands of tensors
have some hundred kilobytes."""

MAX_LAYERS = 10_000
"""Most layers that a stacked array or a config may claim."""

_LONG_NAME = re.compile(rb"[^\s\x1c-\x1f]{8192}")
# Reads from an old file of one pickle after the other; a tensor takes about 100.
_MAX_READS = 1_000_000


def check_pth(file: Path) -> None:
    """Refuse a zipped PyTorch file by its directory alone, or an old one by its size.

    Raises:
        UserError: An entry is packed, overlaps another, or lies outside the file; or the pickle is
            larger than any.
    """
    size = file.stat().st_size
    if not zipfile.is_zipfile(file):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, RuntimeError) as error:
        raise UserError(f"{file} is a damaged or truncated PyTorch file: {error}") from error
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        name = member.filename
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise UserError(
                f"{file}: its entry {name} is compressed, which PyTorch never does: it is no "
                "checkpoint, or was packed again: save it with torch.save"
            )
        if member.header_offset < end or member.header_offset + member.file_size > size:
            raise UserError(f"{file} is damaged: its entry {name} does not lie inside it")
        end = member.header_offset + member.file_size
        if not name.endswith("data.pkl"):
            continue
        if member.file_size > MAX_PICKLE:
            raise UserError(
                f"{file}: its table of tensors has {member.file_size:,} bytes, over the limit of "
                f"{MAX_PICKLE >> 20} MiB: save only model.state_dict()"
            )
        with file.open("rb") as stream:
            stream.seek(member.header_offset)
            _check_names(stream.read(end - member.header_offset), file)


def check_tensors(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Refuse tensors of a `.pth` that are not plain, or claim more numbers than they have.

    Raises:
        UserError: One is sparse, nested, quantised, without memory, or larger than its storage.
    """
    for name, tensor in tensors.items():
        if tensor.is_nested or tensor.layout != torch.strided or tensor.device.type != "cpu":
            kind = "nested" if tensor.is_nested else f"{tensor.layout} on {tensor.device}"
            raise UserError(f"{file}: tensor {name} is {kind.replace('torch.', '')}, not dense")
        if tensor.is_quantized:
            raise UserError(f"{file}: tensor {name} is quantised: save it in float32")
        held = tensor.untyped_storage().nbytes()
        if tensor.numel() * tensor.element_size() > held:
            raise UserError(
                f"{file}: tensor {name} claims {tuple(tensor.shape)} numbers and its storage has "
                f"{held:,} bytes: save it with .contiguous()"
            )


def own_tensor(tensor: Tensor) -> Tensor:
    """A float32 copy that is independent of the file it was read from, and of gradients.

    Tensors of safetensors and of mapped PyTorch files are windows on the file: a file that is
    written over later would change the model, and one that is cut would end the process.
    """
    tensor = tensor.detach()
    return tensor.clone() if tensor.dtype == torch.float32 else tensor.float()


def _check_names(data: bytes, file: object) -> None:
    """Refuse a name of thousands of letters, over which the unpickler's own errors take hours."""
    if _LONG_NAME.search(data):
        raise UserError(f"{file} is a damaged PyTorch file: a name in it does not end")


class _Counted(io.BufferedReader):
    """A file that is read in a bounded number of pieces."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and count."""
        self.reads += 1
        if self.reads > _MAX_READS:
            raise UserError(f"{self.name}: its table of tensors does not end: fetch it again")
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a name, and check it."""
        line = super().readline(size)
        _check_names(line, self.name)
        return line


@contextmanager
def bounded_pickle(file: Path) -> Iterator[BinaryIO]:
    """Open a file for an unpickler, which reads each of its operations by itself.

    Yields:
        The file; reading it raises a UserError where a pickle goes on for longer than any.
    """
    with _Counted(io.FileIO(file)) as stream:
        yield cast(BinaryIO, stream)


def check_architecture(
    config: ModelConfig, shapes: Mapping[str, Sequence[int]], file: Path
) -> None:
    """Refuse an architecture that needs more than the file has, before it is built.

    Args:
        config: What the file, or the JSON beside it, claims.
        shapes: Of the file's tensors.
        file: For the error.

    Raises:
        UserError: Names the field.
    """
    numbers = sum(math.prod(shape) for shape in shapes.values())
    for name, value in asdict(config).items():
        for number in value if isinstance(value, tuple) else (value,):
            if not isinstance(number, int) or name in ("image_size", "position_reach"):
                continue
            most = min(len(shapes), MAX_LAYERS) if name == "depth" else numbers
            if number > most:
                held = f"{len(shapes)} tensors" if name == "depth" else f"{numbers:,} numbers"
                raise UserError(
                    f"{file}: its architecture claims {name} {number}, and the file has {held}"
                )
    if max(config.image_size) > MAX_SIDE:
        raise UserError(
            f"{file}: its architecture claims images of {config.image_size} pixels, over the limit "
            f"of {MAX_SIDE}"
        )
