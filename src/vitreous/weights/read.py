"""Bytes on disk to named tensors: `.npz`, `.safetensors` and `.pth`, told apart by content.

Tensors are read or mapped one by one, when asked for; a model in several `.safetensors` or `.bin`
is opened by its index. Nothing that needs code is read: `.npz` holds arrays only, never objects,
and for PyTorch's files see `pickled`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vitreous.errors import UserError
from vitreous.files import read_json_object
from vitreous.weights.npz import NpzArchive, is_npz
from vitreous.weights.pickled import read_pickled

_WRAPPED_NAMES = (
    *("module.", "backbone.", "model.", "_orig_mod.", "params/", "opt/target/", "timm_model."),
    *("_fsdp_wrapped_module.", "_forward_module."),
)
_PARTS = ("backbone.", "img/")  # the image model's names, where something else stands beside it
_INDEX = ".index.json"
_ENDINGS = (".safetensors", ".npz", ".pth", ".pt")
# What training libraries keep beside the weights.
_BESIDE = re.compile(r"training_args|optimizer|scheduler|scaler|rng_state|random_states|sampler")
# Files of other libraries and programs, by the end of their name, and how to make one of them ours.
_TRANSFORMERS = "where transformers 4 is, load it by from_pretrained(FOLDER, {}=True) and save it"
_FOREIGN = {
    ".msgpack": ("Flax's", _TRANSFORMERS.format("from_flax")),
    ".msgpack.index.json": ("Flax's", _TRANSFORMERS.format("from_flax")),
    ".h5": ("TensorFlow's", _TRANSFORMERS.format("from_tf")),
    ".h5.index.json": ("TensorFlow's", _TRANSFORMERS.format("from_tf")),
    ".keras": ("Keras's", "where it was made, write its weights as .npz or .safetensors"),
    "saved_model.pb": ("TensorFlow's", "where it was made, write its weights as .safetensors"),
    ".ckpt.index": ("TensorFlow's", "where transformers 4 is, load it with from_tf=True, save it"),
    ".onnx": ("ONNX, a program", "give the checkpoint that it was exported from"),
    ".tflite": ("TensorFlow Lite, a program", "give the checkpoint that it was made from"),
    "openvino_model.xml": ("OpenVINO's", "give the checkpoint that it was exported from"),
    ".ot": ("Rust's tch", "give the model.safetensors that it was made from"),
    ".gguf": ("GGUF, quantised", "give the checkpoint that it was made from"),
}


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors and what stands beside them.

    Attributes:
        file: Where they are.
        shapes: Of each tensor, by name; known without reading it.
        read: Gives one tensor.
        config: The JSON beside the file, or what a training script says inside; else empty.
        preprocessor: Hugging Face's `preprocessor_config.json`, the same.
        metadata: Of a safetensors header.
        wrapper: The key of a `.pth` under which the weights lay, where they did.
        pickled: Whether the file is a `.pth`.
        shards: The files of a model in several, which `file` is the index of.
        chosen: In words, which of several weights in one place these are.
        prefix: Of the image model's names in a wrapper's state dict, which were taken off.
        outside: Shapes of what stands there without the prefix, by its whole name.
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
    chosen: tuple[str, ...] = ()
    prefix: str = ""
    outside: dict[str, tuple[int, ...]] = field(default_factory=dict)

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


def open_checkpoint(path: Path, wrapper: str | None = None) -> Checkpoint:
    """Open a file by its content, or the model in a folder, with the JSON beside it.

    Args:
        path: Of the file or folder.
        wrapper: The key of a `.pth` under which the weights are; the usual one where not given.

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
        opened = _open(file, wrapper)
        chosen = opened.chosen + tuple(_second_models(file))
        return replace(opened, config=config or opened.config, preprocessor=beside, chosen=chosen)


def _second_models(file: Path) -> Iterator[str]:
    """Name the second model that accelerate writes beside the first, often its EMA."""
    for other in (f"{file.stem}_1{file.suffix}", f"{file.stem}_ema{file.suffix}"):
        if file.with_name(other).is_file():
            yield f"took the weights in {file.name}; others stand beside it in {other}"


@contextmanager
def _refused_in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        file, reason = fault.filename or path, fault.strerror or fault
        raise UserError(f"cannot read {file}: {reason}: make it readable") from fault


def _open(file: Path, wrapper: str | None = None) -> Checkpoint:
    if (found := _foreign(file.name)) is not None:
        what, fix = found
        raise UserError(f"{file} is {what}, which is not read here: {fix}")
    if file.name.endswith(_INDEX):
        return _open_shards(file)
    with file.open("rb") as stream:
        head = stream.read(16)
    if head[8:9] == b"{":
        return _open_safetensors(file)
    if head.startswith(b"PK") and is_npz(file):
        return _open_npz(file)
    # The length in front of a safetensors header may begin as a pickle does.
    if head.startswith((b"PK", b"\x80")) and len(head) > 8:
        return _open_torch(file, mapped=head.startswith(b"PK"), wrapper=wrapper)
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
    for name in ("model.safetensors", "pytorch_model.bin"):
        for usual in (name, f"{name}{_INDEX}"):
            if (path / usual).is_file():
                return path / usual
    present = sorted(file.name for file in path.iterdir() if not _BESIDE.match(file.name))
    found = [name for name in present if name.endswith(_ENDINGS)]
    if not found:
        found = [name for name in present if name.endswith((".bin", ".ckpt"))]
    if len(found) == 1:
        return path / found[0]
    if found:
        raise UserError(f"{path} holds {', '.join(found[:5])}: give one of them")
    raise UserError(f"{path} holds no model.safetensors: {_missing_fix(path, present)}")


def _missing_fix(path: Path, present: list[str]) -> str:
    """Say what to do about a folder without weights: of a run, or of another library."""
    for name in present:
        if (found := _foreign(name)) is not None:
            what, fix = found
            return f"its {name} is {what}, which is not read here: {fix}"
    if "config.json" not in present:
        return "give a run folder"
    said = _json(path / "config.json")
    if {"model_type", "architectures", "architecture"} & set(said):
        return "its config.json stands alone: fetch the weights too"
    return "finish it with vitreous train --resume"


def _foreign(name: str) -> tuple[str, str] | None:
    """Return whose file this is and how to make it ours, where it is another library's."""
    return next((what for ending, what in _FOREIGN.items() if name.endswith(ending)), None)


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
        opened[name] = _open_shard(index.with_name(name))
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


def _open_shard(file: Path) -> Checkpoint:
    """One of several files: `.safetensors`, or a `.bin` with a bare state dict."""
    if file.suffix == ".safetensors":
        return _open_safetensors(file)
    with file.open("rb") as stream:
        mapped = stream.read(2) == b"PK"
    tensors = read_pickled(file, mapped=mapped).tensors
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return Checkpoint(file, shapes, tensors.__getitem__, pickled=True)


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


def _open_torch(file: Path, *, mapped: bool, wrapper: str | None) -> Checkpoint:
    found = read_pickled(file, mapped=mapped, wrapper=wrapper)
    full = _bare_names(found.tensors)
    return Checkpoint(
        file,
        {bare: tuple(found.tensors[name].shape) for bare, name in full.items()},
        lambda bare: found.tensors[full[bare]],
        config=found.config,
        wrapper=found.wrapper,
        pickled=True,
        chosen=found.chosen,
    )


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
