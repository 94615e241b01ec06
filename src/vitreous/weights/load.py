"""From a file or a run folder to a model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.vit import VisionTransformer
from vitreous.weights.adapt import adapt
from vitreous.weights.passport import Passport, check_canary


def load(
    path: str | Path,
    *,
    num_classes: int | None = None,
    image_size: int | tuple[int, int] | None = None,
) -> VisionTransformer:
    """A model, ready to use, with its `passport`.

    >>> model = load("runs/flowers")
    >>> model = load("model.safetensors", num_classes=5, image_size=384)

    Args:
        path: A safetensors file written by this package, or a run folder.
        num_classes: A new head of this many classes, starting at zero.
        image_size: A new image size, (H, W) or one side; positions are resampled.

    Returns:
        The model in inference mode, float32, on the CPU.

    Raises:
        UserError: Not such a file; a damaged one; weights that do not fit the architecture they
            claim; a canary that fails.
    """
    file = _weights_file(Path(path))
    tensors, passport = _read(file)
    model = empty_model(passport.architecture)
    _check_names(model, tensors, file)
    model.load_state_dict(tensors, assign=True)
    model.passport = passport
    check_canary(model, passport)
    if num_classes is not None or image_size is not None:
        model = adapt(model, num_classes=num_classes, image_size=image_size)
    return model.eval()


def _weights_file(path: Path) -> Path:
    if path.is_dir():
        inside = path / "model.safetensors"
        if not inside.is_file():
            unfinished = (path / "config.json").is_file()
            fix = "finish it with vitreous train --resume" if unfinished else "give a run folder"
            raise UserError(f"{path} holds no model.safetensors: {fix}")
        return inside
    if not path.is_file():
        raise UserError(f"no such model: {path}: give a run folder or a .safetensors file")
    return path


def _read(file: Path) -> tuple[dict[str, torch.Tensor], Passport]:
    with _opened(file) as archive:
        passport = _passport(archive, file)
        tensors = {name: archive.get_tensor(name).float() for name in archive.keys()}
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise UserError(f"{file}: tensor {name} holds numbers that are not finite")
    origin = passport.origin | {"file": str(file)}
    return tensors, replace(passport, origin=origin)


def _check_names(model: VisionTransformer, tensors: dict[str, torch.Tensor], file: Path) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for problem, names in (
        ("lacks", sorted(set(expected) - set(found))),
        ("has unknown", sorted(set(found) - set(expected))),
        (
            "has another shape of",
            sorted(n for n in expected if found.get(n, expected[n]) != expected[n]),
        ),
    ):
        if names:
            listed = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
            raise UserError(f"{file} {problem} {len(names)} tensors of its architecture: {listed}")


def read_passport(path: str | Path) -> Passport:
    """Only the passport of a file or run folder; weights are not read."""
    file = _weights_file(Path(path))
    with _opened(file) as archive:
        return _passport(archive, file)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="pt") as archive:
            yield archive
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} is no safetensors file, or a damaged one: {error}") from error


def _passport(archive: Any, file: Path) -> Passport:
    text = (archive.metadata() or {}).get("vitreous")
    if text is None:
        raise UserError(
            f"{file} has no passport: it was not written by vitreous, and other families' "
            "checkpoints cannot be read yet"
        )
    try:
        return Passport.from_json(text)
    except UserError as error:
        raise UserError(f"{file}: {error}") from error
