"""PyTorch's `.pth` to named tensors, without running code.

`torch.load(weights_only=True)` builds tensors and plain containers and refuses every other name.
This is the one place of the package that calls it, since these checkpoints exist in no other form.
Records that training scripts keep beside their weights are let through: `argparse.Namespace` as it
is, and the names of `_INERT` as empty stand-ins, for which nothing of theirs is called.
"""

import argparse
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor

from vitreous.errors import UserError
from vitreous.weights.bounds import bounded_pickle, check_pth, check_tensors

# Where scripts put the weights, in the order in which they are looked for.
_WRAPPERS = ("model", "state_dict", "model_state_dict", "teacher", "student", "net", "module")
_NEVER = re.compile(r"optim|scaler|.*sched|rng|loops|hyper_param", re.IGNORECASE)
_DEEPEST = 3

# Names of plain records, by module.
_RECORDS = {
    "numpy": "dtype ndarray",
    "numpy.core.multiarray": "scalar _reconstruct",
    "numpy._core.multiarray": "scalar _reconstruct",
    "numpy.dtypes": "BoolDType StrDType BytesDType Float16DType Float32DType Float64DType "
    "Int8DType Int16DType Int32DType Int64DType UInt8DType UInt16DType UInt32DType UInt64DType",
    "pathlib": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
    "pathlib._local": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
    "datetime": "date datetime time timedelta timezone",
    "collections": "defaultdict",
    "types": "SimpleNamespace",
    "typing": "Any",
    "__builtin__": "bool int float str bytes list dict tuple set",
    "builtins": "bool int float str bytes list dict tuple set",
    "omegaconf.base": "ContainerMetadata Metadata",
    "omegaconf.dictconfig": "DictConfig",
    "omegaconf.listconfig": "ListConfig",
    "omegaconf.nodes": "AnyNode BooleanNode FloatNode IntegerNode StringNode PathNode",
    "easydict": "EasyDict",
    "pytorch_lightning.utilities.parsing": "AttributeDict",
    "lightning.fabric.utilities.data": "AttributeDict",
    "lightning_fabric.utilities.data": "AttributeDict",
}
_INERT = tuple(f"{module}.{name}" for module, names in _RECORDS.items() for name in names.split())


class _Inert:
    """Stands in for a record that is no weight; takes whatever it is made from, and drops it."""

    def __new__(cls, *values: Any, **named: Any) -> "_Inert":
        return super().__new__(cls)

    def __init__(self, *values: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class Pickled:
    """The weights of a `.pth`, and what stood beside them.

    Attributes:
        tensors: By name.
        wrapper: The key under which they lay, where they did.
        chosen: In words, what other weights were passed over, and how to ask for them.
        config: What timm's own training script says beside them of the architecture and the
            images, in the form of timm's `config.json`; empty where it is none of its files.
    """

    tensors: Mapping[str, Tensor]
    wrapper: str | None = None
    chosen: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)


def read_pickled(file: Path, *, mapped: bool, wrapper: str | None = None) -> Pickled:
    """Read the weights of a `.pth`, `.pt`, `.bin` or `.ckpt`.

    Args:
        file: A pickle, or a zip with one inside.
        mapped: True for a zip, whose tensors are mapped rather than read.
        wrapper: The caller's word for the key under which the weights lie.

    Raises:
        UserError: It is damaged, would have to run code, is a TorchScript archive, or holds no
            weights, or several of which none is the usual one.
    """
    if mapped:
        _refuse_torchscript(file)
    check_pth(file)
    allowed: list[Any] = [argparse.Namespace, *((_Inert, name) for name in _INERT)]
    try:
        with torch.serialization.safe_globals(allowed), bounded_pickle(file) as stream:
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
    found = _unwrapped(content, file, wrapper)
    check_tensors(found.tensors, file)
    return found


def _refuse_torchscript(file: Path) -> None:
    try:
        with ZipFile(file) as archive:
            parts = {tuple(name.split("/")[1:3]) for name in archive.namelist()}
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        return  # said better by whoever reads it
    if ("constants.pkl",) in parts or ("code", "__torch__") in parts:
        raise UserError(
            f"{file} is a TorchScript archive, which holds a program: where PyTorch is, save its "
            "weights by torch.save(torch.jit.load(FILE, map_location='cpu').state_dict(), "
            "'weights.pth') and give those"
        )
    if any(part[0] in ("models", "archive_format") for part in parts if part):
        raise UserError(
            f"{file} is an exported program of PyTorch (torch.export): where it was made, save "
            "model.state_dict()"
        )


def _unwrapped(content: Any, file: Path, wrapper: str | None) -> Pickled:
    """The state dict, out of the wrappings that training scripts put around it."""
    config = _training_config(content)
    keys: list[str] = []
    chosen: list[str] = []
    while isinstance(content, Mapping) and len(keys) < _DEEPEST:
        inside = dict(_state_dicts(content))
        if wrapper is not None and wrapper in inside:
            key, wrapper = wrapper, None
        elif not inside or (not inside.keys() & set(_WRAPPERS) and _has_matrices(content)):
            break
        else:
            key = _usual(inside, file)
            chosen += _passed_over(key, inside)
        keys.append(key)
        content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{file} holds a {type(content).__name__}, not a state dict")
    return Pickled(
        tensors=_tensors(content, file),
        wrapper=keys[-1] if keys else None,
        chosen=tuple(chosen),
        config=config,
    )


def _state_dicts(content: Mapping[Any, Any]) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield every mapping under a key that holds tensors at some depth, and so may be weights."""
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Mapping) or _NEVER.match(key):
            continue
        if _holds_tensors(value):
            yield key, value


def _holds_tensors(content: Mapping[Any, Any], depth: int = 0) -> bool:
    named = {name: value for name, value in content.items() if isinstance(name, str)}
    if any(isinstance(value, Tensor) for value in named.values()):
        return True
    inner = [value for value in named.values() if isinstance(value, Mapping)]
    return depth < _DEEPEST and any(_holds_tensors(value, depth + 1) for value in inner)


def _has_matrices(content: Mapping[Any, Any]) -> bool:
    return any(isinstance(value, Tensor) and value.ndim > 1 for value in content.values())


def is_averaged(name: str) -> bool:
    """True for a name that people give to weights averaged over training."""
    words = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return bool({"ema", "swa", "averaged", "average", "momentum", "target"} & set(words))


def _usual(inside: Mapping[str, object], file: Path) -> str:
    """The key to take where the caller says none."""
    usual = next((key for key in _WRAPPERS if key in inside), None)
    if usual is not None:
        return usual
    plain = [key for key in inside if not is_averaged(key)]
    if len(plain or inside) == 1:
        return next(iter(plain or inside))
    listed = ", ".join(repr(key) for key in sorted(inside))
    first = min(plain or inside)
    raise UserError(f"{file} holds weights under {listed}: say which, by wrapper={first!r}")


def _passed_over(key: str, inside: Mapping[str, object]) -> Iterator[str]:
    for other in inside:
        if other != key:
            kind = "averaged weights" if is_averaged(other) else "others"
            yield (
                f"took the weights under {key!r}; {kind} stand beside them under {other!r} "
                f"(wrapper={other!r} takes those)"
            )


def _tensors(content: Mapping[Any, Any], file: Path) -> dict[str, Tensor]:
    """The tensors of a state dict; numbers and words that scripts put among them are no weights."""
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    for name, value in content.items():
        plain = value is None or isinstance(value, bool | int | float | str | _Inert)
        beside = bool(tensors) and (plain or str(name).endswith("_extra_state"))
        if not isinstance(name, str) or not (isinstance(value, Tensor) or beside):
            raise UserError(f"{file}: {name} is a {type(value).__name__}, not a tensor")
    return tensors


def _training_config(content: Any) -> dict[str, Any]:
    """Return what timm's train.py keeps beside the weights, in the form of its `config.json`."""
    if not isinstance(content, Mapping) or "state_dict" not in content:
        return {}
    name, arguments = content.get("arch"), content.get("args")
    if not isinstance(name, str) or not isinstance(arguments, argparse.Namespace):
        return {}
    said = vars(arguments)
    own = said.get("model_kwargs")
    images = {
        "mean": said.get("mean"),
        "std": said.get("std"),
        "interpolation": said.get("interpolation"),
        "crop_pct": said.get("crop_pct"),
        "crop_mode": said.get("crop_mode"),
    }
    config: dict[str, Any] = {
        "architecture": name,
        "model_args": dict(own) if isinstance(own, Mapping) else {},
        "pretrained_cfg": {key: value for key, value in images.items() if value is not None},
    }
    if said.get("gp") is not None:
        config["global_pool"] = said["gp"]
    return config
