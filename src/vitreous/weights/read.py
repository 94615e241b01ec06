"""Bytes on disk to named tensors: `.npz`, `.safetensors` and `.pth`, told apart by content.

Tensors are read or mapped one by one, when asked for. Nothing that needs code is read:

* `.npz`: arrays only, never objects.
* `.pth`, `.pt`, `.bin`: `torch.load(weights_only=True)`, whose unpickler builds tensors and plain
  containers and refuses every other name. This is the one place of the package that calls it, since
  these checkpoints exist in no other form. `argparse.Namespace`, a bare record that DeiT and MAE
  keep beside their weights, is let through.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vitreous.errors import UserError
from vitreous.weights.npz import NpzArchive, is_npz

_WRAPPERS = ("model", "state_dict", "model_state_dict", "teacher", "net")
_WRAPPED_NAMES = ("module.", "backbone.", "model.", "_orig_mod.")


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors and what stands beside them.

    Attributes:
        file: Where they are.
        shapes: Of each tensor, by name; known without reading it.
        read: Gives one tensor.
        config: The JSON beside the file, empty where there is none.
        preprocessor: Hugging Face's `preprocessor_config.json`, the same.
        metadata: Of a safetensors header.
        lasting: Whether a tensor stays as it is when the same thread reads the next one.
        wrapper: The key of a `.pth` under which the weights lay, where they did.
    """

    file: Path
    shapes: dict[str, tuple[int, ...]]
    read: Callable[[str], Tensor]
    config: dict[str, Any] = field(default_factory=dict)
    preprocessor: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    lasting: bool = True
    wrapper: str | None = None

    def tensor(self, name: str) -> Tensor:
        """One tensor in float32.

        Raises:
            UserError: It does not hold floats, or some are not finite.
        """
        tensor = self.read(name)
        if not tensor.is_floating_point():
            raise UserError(f"{self.file}: tensor {name} holds {tensor.dtype}, not floats")
        tensor = tensor.float()
        check_finite(tensor, name, self.file)
        return tensor


def check_finite(tensor: Tensor, name: str, file: Path) -> None:
    """Refuse NaN and infinity.

    A finite sum proves their absence in one pass. NumPy makes it, in this thread: on a busy machine
    a sum by PyTorch's threads takes longer than all the rest of loading.
    """
    with np.errstate(all="ignore"):
        total = np.sum(tensor.float().numpy())
    if not np.isfinite(total) and not bool(tensor.isfinite().all()):
        raise UserError(f"{file}: tensor {name} holds numbers that are not finite")


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a file by its content, or the one weights file of a folder, with the JSON beside it.

    Raises:
        UserError: No such file, none or several in the folder, a damaged one, or one with code.
    """
    file = weights_file(path)
    with file.open("rb") as stream:
        head = stream.read(16)
    if head[8:9] == b"{":
        checkpoint = _open_safetensors(file)
    elif head.startswith(b"PK") and is_npz(file):
        archive = NpzArchive(file)
        checkpoint = Checkpoint(file, archive.shapes, archive.read, lasting=False)
    elif head.startswith((b"PK", b"\x80")):
        checkpoint = _open_torch(file, mapped=head.startswith(b"PK"))
    else:
        raise UserError(f"{file} is no safetensors file, or a damaged one, nor an .npz or .pth")
    return replace(
        checkpoint,
        config=_json(file.with_suffix(".config.json"), file.with_name("config.json")),
        preprocessor=_json(file.with_name("preprocessor_config.json")),
    )


def weights_file(path: Path) -> Path:
    """The file itself, or the weights in a folder.

    Raises:
        UserError: There is none, or more than one.
    """
    if not path.is_dir():
        if not path.is_file():
            raise UserError(f"no such model: {path}: give a run folder or a file of weights")
        return path
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (path / name).is_file():
            return path / name
    endings = (".safetensors", ".npz", ".pth", ".pt")
    found = sorted(file.name for file in path.iterdir() if file.name.endswith(endings))
    if len(found) == 1:
        return path / found[0]
    if found:
        raise UserError(f"{path} holds {', '.join(found[:5])}: give one of them")
    unfinished = (path / "config.json").is_file()
    fix = "finish it with vitreous train --resume" if unfinished else "give a run folder"
    raise UserError(f"{path} holds no model.safetensors: {fix}")


def _json(*candidates: Path) -> dict[str, Any]:
    for file in candidates:
        if file.is_file():
            try:
                values = json.loads(file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise UserError(f"{file} is no JSON: {error}") from error
            if not isinstance(values, dict):
                raise UserError(f"{file} holds no JSON object")
            return values
    return {}


def _open_safetensors(file: Path) -> Checkpoint:
    try:
        archive: Any = safe_open(file, framework="pt")
        shapes = {name: tuple(archive.get_slice(name).get_shape()) for name in archive.keys()}
        metadata = archive.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} is no safetensors file, or a damaged one: {error}") from error
    return Checkpoint(file, shapes, archive.get_tensor, metadata=metadata)


def _open_torch(file: Path, *, mapped: bool) -> Checkpoint:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises many kinds on damaged files
        if type(error).__name__ == "UnpicklingError" and "weights_only" in str(error).lower():
            raise UserError(
                f"{file} would run code when read, so it was not: where it was made, save only "
                "model.state_dict()"
            ) from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{file} is a damaged or truncated PyTorch file: {reason}") from error
    tensors, wrapper = _unwrapped(content, file)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return Checkpoint(file, shapes, tensors.__getitem__, wrapper=wrapper)


def _unwrapped(content: Any, file: Path) -> tuple[Mapping[str, Tensor], str | None]:
    """The state dict, out of the wrappings that training scripts put around it."""
    wrapper = None
    if isinstance(content, Mapping):
        wrapper = next((key for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
        content = content[wrapper] if wrapper else content
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{file} holds a {type(content).__name__}, not a state dict")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(f"{file}: {name} is a {type(value).__name__}, not a tensor")
    return dict(_without_common_prefix(content)), wrapper


def _without_common_prefix(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """DataParallel, compile and wrappers put one word before every name."""
    prefixes = [word for word in _WRAPPED_NAMES if all(name.startswith(word) for name in tensors)]
    start = len(prefixes[0]) if prefixes else 0
    return ((name[start:], tensor) for name, tensor in tensors.items())
