"""Bytes on disk to named tensors: `.npz`, `.safetensors` and `.pth`, told apart by content.

Tensors are read or mapped one by one, when asked for; a model in several `.safetensors` is opened
by its index. Nothing that needs code is read:

* `.npz`: arrays only, never objects.
* `.pth`, `.pt`, `.bin`: `torch.load(weights_only=True)`, whose unpickler builds tensors and plain
  containers and refuses every other name. This is the one place of the package that calls it, since
  these checkpoints exist in no other form. `argparse.Namespace`, a bare record that DeiT and MAE
  keep beside their weights, is let through.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vitreous.errors import UserError
from vitreous.files import read_json_object
from vitreous.weights.bounds import bounded_pickle, check_pth, check_tensors
from vitreous.weights.npz import NpzArchive, is_npz

_WRAPPERS = ("model", "state_dict", "model_state_dict", "teacher", "student", "net")
_WRAPPED_NAMES = ("module.", "backbone.", "model.", "_orig_mod.", "params/", "opt/target/")
_PARTS = ("backbone.", "img/")  # the image model's names, where something else stands beside it
_INDEX = ".index.json"


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
        wrapper: The key of a `.pth` under which the weights lay, where they did.
        pickled: Whether the file is a `.pth`.
        shards: The files of a model in several, which `file` is the index of.
    """

    file: Path
    shapes: dict[str, tuple[int, ...]]
    read: Callable[[str], Tensor]
    config: dict[str, Any] = field(default_factory=dict)
    preprocessor: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    wrapper: str | None = None
    pickled: bool = False
    shards: tuple[Path, ...] = ()

    def tensor(self, name: str) -> Tensor:
        """One tensor in float32.

        Raises:
            UserError: It does not hold floats, or some are not finite.
        """
        tensor = self.read(name).detach()
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
    """Open a file by its content, or the model in a folder, with the JSON beside it.

    Raises:
        UserError: No such file, none or several in the folder, one that is damaged or may not be
            read, or one with code.
    """
    with _refused_in_one_line(path):
        file = weights_file(path)
        config = _json(
            file.with_suffix(".config.json"),
            file.with_name("config.json"),
            file.with_name("open_clip_config.json"),
        )
        beside = _json(file.with_name("preprocessor_config.json"))
        if not beside:
            beside = _json(file.with_name("processor_config.json")).get("image_processor") or {}
        return replace(_open(file), config=config, preprocessor=beside)


@contextmanager
def _refused_in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        file, reason = fault.filename or path, fault.strerror or fault
        raise UserError(f"cannot read {file}: {reason}: make it readable") from fault


def _open(file: Path) -> Checkpoint:
    if file.name.endswith(_INDEX):
        return _open_shards(file)
    with file.open("rb") as stream:
        head = stream.read(16)
    if head[8:9] == b"{":
        return _open_safetensors(file)
    if head.startswith(b"PK") and is_npz(file):
        return _open_npz(file)
    if head.startswith((b"PK", b"\x80")):
        return _open_torch(file, mapped=head.startswith(b"PK"))
    raise UserError(f"{file} is no safetensors file, or a damaged one, nor an .npz or .pth")


def weights_file(path: Path) -> Path:
    """The file itself, or the weights in a folder.

    Raises:
        UserError: There is none, or more than one.
    """
    if not path.is_dir():
        if not path.is_file():
            raise UserError(f"no such model: {path}: give a run folder or a file of weights")
        return path
    for name in ("model.safetensors", f"model.safetensors{_INDEX}", "pytorch_model.bin"):
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
            return read_json_object(file)
    return {}


def _open_safetensors(file: Path) -> Checkpoint:
    try:
        archive: Any = safe_open(file, framework="pt")
        shapes = {name: tuple(archive.get_slice(name).get_shape()) for name in archive.keys()}
        metadata = archive.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} is no safetensors file, or a damaged one: {error}") from error
    _require_tensors(shapes, file)
    return Checkpoint(file, shapes, archive.get_tensor, metadata=metadata)


def _open_shards(index: Path) -> Checkpoint:
    """The shards that an index names, as one; the index must name every tensor's own."""
    places = _json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(shard, str) for shard in places.values()):
        raise UserError(f"{index} has no weight_map of tensors to files")
    opened: dict[str, Checkpoint] = {}
    for name in sorted(set(places.values())):
        if Path(name).name != name or not index.with_name(name).is_file():
            raise UserError(f"{index} names {name}, which is not in its folder: fetch it too")
        opened[name] = _open_safetensors(index.with_name(name))
    held = {tensor: name for name, shard in opened.items() for tensor in shard.shapes}
    if held != places:
        wrong = min({tensor for tensor, _ in held.items() ^ places.items()})
        raise UserError(f"{index} and the files that it names disagree on where {wrong} is")
    return Checkpoint(
        index,
        {tensor: opened[name].shapes[tensor] for tensor, name in places.items()},
        lambda tensor: opened[places[tensor]].read(tensor),
        shards=tuple(shard.file for shard in opened.values()),
    )


def _open_npz(file: Path) -> Checkpoint:
    archive = NpzArchive(file)
    _require_tensors(archive.shapes, file)
    full = _bare_names(archive.shapes)
    return Checkpoint(
        file,
        {bare: archive.shapes[name] for bare, name in full.items()},
        lambda bare: archive.read(full[bare]),
    )


def _require_tensors(shapes: Mapping[str, Any], file: Path) -> None:
    if not shapes:
        raise UserError(f"{file} holds no tensors: give a file of weights")


def _open_torch(file: Path, *, mapped: bool) -> Checkpoint:
    check_pth(file)
    try:
        with (
            torch.serialization.safe_globals([argparse.Namespace]),
            bounded_pickle(file) as stream,
        ):
            source = file if mapped else stream
            content = torch.load(source, map_location="cpu", weights_only=True, mmap=mapped)
    except UserError:
        raise
    except Exception as error:  # torch raises many kinds on damaged files
        if type(error).__name__ == "UnpicklingError" and "weights_only" in str(error).lower():
            raise UserError(
                f"{file} would run code when read, so it was not: where it was made, save only "
                "model.state_dict()"
            ) from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{file} is a damaged or truncated PyTorch file: {reason}") from error
    tensors, wrapper = _unwrapped(content, file)
    check_tensors(tensors, file)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return Checkpoint(file, shapes, tensors.__getitem__, wrapper=wrapper, pickled=True)


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
    return {bare: content[name] for bare, name in _bare_names(content).items()}, wrapper


def _bare_names(names: Iterable[str]) -> dict[str, str]:
    """The names as the model itself has them, and what they are in the file.

    DataParallel, compile and wrappers put words before every name; a word for the image model
    stands before its names alone where heads of pretraining or another model are beside it.
    """
    full = list(names)
    bare = full
    while word := next((w for w in _WRAPPED_NAMES if all(n.startswith(w) for n in bare)), ""):
        bare = [name[len(word) :] for name in bare]
    for word in _PARTS:
        own = [name.removeprefix(word) for name in bare]
        bare = own if len(set(own)) == len(own) else bare
    return dict(zip(bare, full, strict=True))
