"""From another family's checkpoint to a model, with a passport that says what it is."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.classifier import Classifier
from vitreous.weights import huggingface_types
from vitreous.weights.bounds import check_architecture
from vitreous.weights.evidence import NORMALISATIONS
from vitreous.weights.family import Family, Hints, Reading
from vitreous.weights.inner_model import outside_note
from vitreous.weights.known import recognise_published
from vitreous.weights.passport import Passport
from vitreous.weights.read import Checkpoint
from vitreous.weights.recognise import recognise
from vitreous.weights.replaced_head import with_usual_head
from vitreous.weights.rule import to_ours

# Above this a digest would take longer than the weights themselves; it is then made when they are
# written.
_DIGEST_AT_ONCE = 64 * 2**20

# Foreign files that this process has read: a passport may name any other file, which is left alone.
_read: set[Path] = set()


def load_foreign(checkpoint: Checkpoint, hints: Hints, *, wrapper: str | None = None) -> Classifier:
    """A model out of another family's tensors, float32, with a passport.

    What nothing in the file says, and what is no part of the image model and was left out, stands
    in the passport's assumptions.

    Raises:
        UserError: Unknown family, or tensors, config and hints that contradict one another.
    """
    family, checkpoint, reading = _understood(checkpoint, hints, wrapper)
    check_architecture(reading.config, checkpoint.shapes, checkpoint.file)
    model = empty_model(reading.config)
    tensors = to_ours(family.rules(reading.config), checkpoint, model.state_dict())
    model.load_state_dict(tensors, assign=True)
    model.passport = _passport(family, reading, checkpoint)
    return model


def foreign_passport(
    checkpoint: Checkpoint, hints: Hints, *, wrapper: str | None = None
) -> Passport:
    """The passport alone; only small tensors are read.

    Raises:
        UserError: See `load_foreign`.
    """
    family, checkpoint, reading = _understood(checkpoint, hints, wrapper)
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


def _understood(
    checkpoint: Checkpoint, hints: Hints, wrapper: str | None
) -> tuple[Family, Checkpoint, Reading]:
    """The family, the image model's tensors alone, and what they are."""
    checkpoint = _with_architecture(checkpoint, hints)
    family, checkpoint = recognise(checkpoint, wrapper)
    checkpoint = family.settle(family.repair(checkpoint), hints)
    checkpoint, left_out = family.without_left_out(checkpoint)
    checkpoint = with_usual_head(checkpoint, family.head)
    reading = _understand(family, checkpoint, hints)
    _check_hints(reading, hints, checkpoint)
    left_out = (*outside_note(checkpoint), *left_out)
    return family, checkpoint, replace(reading, left_out=left_out)


def _check_hints(reading: Reading, hints: Hints, checkpoint: Checkpoint) -> None:
    """Refuse a word of the caller's that the file, or its family, contradicts."""
    rule = reading.preprocessing
    pairs: dict[object, str] = {pair: word for word, pair in NORMALISATIONS.items()}
    found = {
        "heads": getattr(reading.config, "heads", None),
        "activation": getattr(reading.config, "activation", None),
        "pooling": reading.config.pooling,
        "normalisation": pairs.get((rule.mean, rule.std), f"mean {rule.mean}"),
    }
    if hints.pooling == "pooler" and getattr(reading.config, "pre_logits", None) is not None:
        found["pooling"] = "pooler"  # the token, behind Hugging Face's own layer
    if hints.pooling == "mean" and reading.config.pooling == "mean_all":
        found["pooling"] = "mean"  # over all tokens, as vit-pytorch's older releases mean it
    for option, value in found.items():
        said = getattr(hints, option)
        if said is not None and said != value:
            raise UserError(
                f"{checkpoint.file}: {option} is {value} there, and {option}={said!r} was given: "
                f"leave {option} out"
            )


def _with_architecture(checkpoint: Checkpoint, hints: Hints) -> Checkpoint:
    """The checkpoint with the caller's name of its architecture in its config."""
    name = hints.architecture
    if name is None:
        return checkpoint
    said = checkpoint.config.get("architecture", checkpoint.config.get("model_type"))
    if said is not None and said != name:
        raise UserError(
            f"{checkpoint.file}: its config says {said}, and architecture={name!r} was given: "
            "leave architecture out, or mend the config"
        )
    word = "model_type" if name in huggingface_types.READ else "architecture"
    return replace(checkpoint, config=checkpoint.config | {word: name})


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
    }
    if checkpoint.shards:
        origin["shards"] = [shard.name for shard in checkpoint.shards]
    numbers = tuple(str(label) for label in range(reading.config.num_classes))
    published = recognise_published(checkpoint)
    if published is not None:
        origin["source"] = published.source
    passport = Passport(
        architecture=reading.config,
        preprocessing=reading.preprocessing,
        class_names=reading.class_names or numbers,
        class_order="named" if reading.class_names or not numbers else "unknown",
        multi_label=reading.multi_label,
        assumptions=_assumptions(reading, checkpoint),
        origin=origin,
        licence=published.licence if published else None,
    )
    return with_digest(passport) if origin["bytes"] <= _DIGEST_AT_ONCE else passport


def _assumptions(reading: Reading, checkpoint: Checkpoint) -> tuple[str, ...]:
    lines = [*checkpoint.chosen, *(f"assumed {what}" for what in reading.assumed)]
    lines += [f"left out {what}" for what in reading.left_out]
    if reading.config.num_classes > 1 and not reading.class_names:
        lines.append(
            "assumed no class names: classes are called by the numbers of their logits "
            "(class_names= gives names; class_order= says how folders of numbers were sorted)"
        )
    return tuple(lines)


def _digest(files: Sequence[Path]) -> str:
    """SHA-256 of the files, one after the other."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(2**20):
                digest.update(block)
    return digest.hexdigest()
