"""From another family's checkpoint to a model, with a passport that says what it is."""

import hashlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.classifier import Classifier
from vitreous.weights.family import Family, Hints, Reading
from vitreous.weights.known import recognise_published
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.recognise import recognise
from vitreous.weights.rule import to_ours

# Above this a digest would take longer than the weights themselves; it is then made when they are
# written.
_DIGEST_AT_ONCE = 64 * 2**20


def load_foreign(checkpoint: Checkpoint, hints: Hints, *, quiet: bool = False) -> Classifier:
    """A model out of another family's tensors, float32, with a passport.

    What nothing in the file says is logged, unless `quiet`, and stands in the passport's origin.

    Raises:
        UserError: Unknown family, or tensors, config and hints that contradict one another.
    """
    family = recognise(checkpoint)
    checkpoint = family.repair(checkpoint)
    reading = _understand(family, checkpoint, hints)
    model = empty_model(reading.config)
    tensors = to_ours(family.rules(reading.config), checkpoint, model.state_dict())
    model.load_state_dict(tensors, assign=True)
    model.passport = _passport(family, reading, checkpoint)
    for assumption in () if quiet else reading.assumed:
        logging.getLogger("vitreous").warning("%s: assumed %s", checkpoint.file, assumption)
    return model


def foreign_passport(checkpoint: Checkpoint, hints: Hints) -> Passport:
    """The passport alone; only small tensors are read.

    Raises:
        UserError: See `load_foreign`.
    """
    family = recognise(checkpoint)
    checkpoint = family.repair(checkpoint)
    return _passport(family, _understand(family, checkpoint, hints), checkpoint)


def with_digest(passport: Passport) -> Passport:
    """The passport with the SHA-256 of the foreign file that it names, if that is as it was."""
    origin = passport.origin
    file = Path(str(origin.get("file")))
    if "sha256" in origin or "family" not in origin or not file.is_file():
        return passport
    if file.stat().st_size != origin.get("bytes"):
        return passport
    return replace(passport, origin=origin | {"sha256": _digest(file)})


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
    origin: dict[str, Any] = {
        "file": str(file),
        "family": family.name,
        "layout": family.layout,
        "bytes": file.stat().st_size,
        "assumed": list(reading.assumed),
    }
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


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
