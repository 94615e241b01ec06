"""What a checkpoint claims, held against what its file has, before anything is built or read.

* A `.pth` is a zip whose entries PyTorch never packs; what is unpickled is small (`check_pth`).
* Its tensors have no more numbers than their storage, and are plain and dense (`own_tensor`).
* A tensor that was read no longer depends on its file (`own_tensor`).
* A passport's numbers are checked against one another (`check_passport`).
"""

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitreous.errors import UserError

MAX_PICKLE = 64 * 2**20
"""Largest pickle in a `.pth`, bytes: names, shapes and settings. Models of thousands of tensors
have some hundred kilobytes."""

MAX_SIDE = 8192
"""Longest side of a model's input, pixels."""

# Operations of a pickle. Frames, memos and marks are counted too; a tensor takes about 60.
_MAX_OPERATIONS = 20_000_000
_PICKLES = ("data.pkl", ".data/version", "version", "byteorder")


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
        if name.endswith("data.pkl") and member.file_size > MAX_PICKLE:
            raise UserError(
                f"{file}: its table of tensors has {member.file_size:,} bytes, over the limit of "
                f"{MAX_PICKLE >> 20} MiB: save only model.state_dict()"
            )


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


def check_finite_numbers(values: Any, name: str) -> None:
    """Refuse numbers that are not finite anywhere in plain values.

    Raises:
        UserError: Names where.
    """
    if isinstance(values, float) and not math.isfinite(values):
        raise UserError(f"{name} is {values}: give a finite number")
    if isinstance(values, Mapping):
        for key, value in values.items():
            check_finite_numbers(value, f"{name}.{key}")
    elif isinstance(values, list | tuple):
        for place, value in enumerate(values):
            check_finite_numbers(value, f"{name}[{place}]")
