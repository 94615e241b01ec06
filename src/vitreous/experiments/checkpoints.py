"""The user's checkpoints, as `--weights` names them: found, loaded, and told apart by digest."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from vitreous.durable import sha256
from vitreous.errors import UserError
from vitreous.model.classifier import Classifier

SUFFIXES = (".npz", ".safetensors", ".pth", ".bin")
"""Of checkpoints in a folder; run folders count too."""


def checkpoints(weights: Path) -> dict[str, Path]:
    """The checkpoints of a folder, or the one that is given, by the names of their rows.

    A folder has its whole name, a file its name without the suffix; where two would have the same,
    all have their whole names.

    Raises:
        UserError: There is none.
    """
    if weights.is_file() or (weights / "model.safetensors").is_file():
        return _named([weights])
    if not weights.is_dir():
        raise UserError(f"--weights {weights}: no such file or folder")
    found = [
        path
        for path in sorted(weights.iterdir())
        if path.suffix in SUFFIXES or (path / "model.safetensors").is_file()
    ]
    if not found:
        raise UserError(
            f"--weights {weights}: no checkpoint in it ({', '.join(SUFFIXES)} or a run folder)"
        )
    return _named(found)


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    whole = [path.absolute().name for path in paths]
    # A folder's name may have points in it, as timm's models do.
    short = [name if path.is_dir() else path.stem for name, path in zip(whole, paths, strict=True)]
    return dict(zip(short if len(set(short)) == len(paths) else whole, paths, strict=True))


@cache
def check_loads(path: Path) -> None:
    """Load a checkpoint of `--weights` once, whatever it will be measured on.

    Raises:
        UserError: See `try_load`.
    """
    try_load(path)


def try_load(path: Path) -> Classifier:
    """A checkpoint of `--weights`.

    Raises:
        UserError: It cannot be loaded; names the file and what to do.
    """
    from vitreous.weights.load import load

    try:
        return load(path)
    except UserError as error:
        raise refused(path, error) from error


def refused(path: Path, error: UserError) -> UserError:
    """The same error, with the name of the file and what to do about it."""
    named = "" if str(path) in str(error) else f"{path}: "
    return UserError(f"{named}{error}; otherwise take it out of --weights")


def digest_of(path: Path) -> str:
    """SHA-256 of all that a checkpoint is read from: files of tensors, and the JSON beside them.

    Raises:
        UserError: It cannot be opened; names the file and what to do.
    """
    from vitreous.weights.read import open_checkpoint

    try:
        found = open_checkpoint(path)
    except UserError as error:
        raise refused(path, error) from error
    beside = json.dumps([found.config, found.preprocessor], sort_keys=True)
    read = [*(sha256(file) for file in (found.file, *found.shards)), beside]
    return hashlib.sha256("\n".join(read).encode()).hexdigest()
