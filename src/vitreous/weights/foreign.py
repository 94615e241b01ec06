"""From another family's checkpoint to a model, with a passport that says what it is."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.classifier import Classifier
from vitreous.weights.bounds import check_architecture
from vitreous.weights.family import Family, Hints, Reading
from vitreous.weights.known import recognise_published
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.recognise import recognise
from vitreous.weights.rule import to_ours

# Above this a digest would take longer than the weights themselves; it is then made when they are
# written.
_DIGEST_AT_ONCE = 64 * 2**20

# Foreign files that this process has read: a passport may name any other file, which is left alone.
_read: set[Path] = set()


def load_foreign(checkpoint: Checkpoint, hints: Hints, *, quiet: bool = False) -> Classifier:
    """A model out of another family's tensors, float32, with a passport.

    What nothing in the file says, and what is no part of the image model and was left out, is
    logged, unless `quiet`, and stands in the passport's origin.

    Raises:
        UserError: Unknown family, or tensors, config and hints that contradict one another.
    """
    family, checkpoint, reading = _understood(checkpoint, hints)
    check_architecture(reading.config, checkpoint.shapes, checkpoint.file)
    model = empty_model(reading.config)
    tensors = to_ours(family.rules(reading.config), checkpoint, model.state_dict())
    model.load_state_dict(tensors, assign=True)
    model.passport = _passport(family, reading, checkpoint)
    if not quiet:
        log = logging.getLogger("vitreous")
        for what in reading.left_out:
            log.warning("%s: left out %s", checkpoint.file, what)
        for assumption in reading.assumed:
            log.warning("%s: assumed %s", checkpoint.file, assumption)
    return model


def foreign_passport(checkpoint: Checkpoint, hints: Hints) -> Passport:
    """The passport alone; only small tensors are read.

    Raises:
        UserError: See `load_foreign`.
    """
    family, checkpoint, reading = _understood(checkpoint, hints)
    return _passport(family, reading, checkpoint)


def with_digest(passport: Passport) -> Passport:
    """The passport with the SHA-256 of the foreign file that it names, if that is as it was."""
    origin = passport.origin
    file = Path(str(origin.get("file")))
    files = [file, *(file.with_name(shard) for shard in origin.get("shards", ()))]
    if not _read.issuperset(files):
        return passport
    if "sha256" in origin or "family" not in origin or not all(map(Path.is_file, files)):
        return passport
    if sum(part.stat().st_size for part in files) != origin.get("bytes"):
        return passport
    return replace(passport, origin=origin | {"sha256": _digest(files)})


def _understood(checkpoint: Checkpoint, hints: Hints) -> tuple[Family, Checkpoint, Reading]:
    """The family, the image model's tensors alone, and what they are."""
    family = recognise(checkpoint)
    checkpoint, left_out = family.without_left_out(family.repair(checkpoint))
    reading = _understand(family, checkpoint, hints)
    return family, checkpoint, replace(reading, left_out=left_out)


def _understand(family: Family, checkpoint: Checkpoint, hints: Hints) -> Reading:
    try:
        reading = family.understand(checkpoint, hints)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, UserError) and str(checkpoint.file) in str(error):
            raise
        raise UserError(
            f"{checkpoint.file}: tensors and config do not go together: {error}"
        ) from error
    published = recognise_published(checkpoint)
    return reading if published is None else published.correct(reading)


def _passport(family: Family, reading: Reading, checkpoint: Checkpoint) -> Passport:
    file = checkpoint.file
    _read.update((file, *checkpoint.shards))
    origin: dict[str, Any] = {
        "file": str(file),
        "family": family.name,
        "layout": family.layout,
        "bytes": sum(part.stat().st_size for part in (file, *checkpoint.shards)),
        "assumed": list(reading.assumed),
    }
    if checkpoint.shards:
        origin["shards"] = [shard.name for shard in checkpoint.shards]
    if reading.left_out:
        origin["left_out"] = list(reading.left_out)
    numbers = tuple(str(label) for label in range(reading.config.num_classes))
    published = recognise_published(checkpoint)
    if published is not None:
        origin["source"] = published.source
    passport = Passport(
        architecture=reading.config,
        preprocessing=reading.preprocessing,
        class_names=reading.class_names or numbers,
        origin=origin,
        licence=published.licence if published else None,
    )
    return with_digest(passport) if origin["bytes"] <= _DIGEST_AT_ONCE else passport


def _digest(files: Sequence[Path]) -> str:
    """SHA-256 of the files, one after the other."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(2**20):
                digest.update(block)
    return digest.hexdigest()
