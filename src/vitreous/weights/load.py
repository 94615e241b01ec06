"""From a file or a folder to a model: our own format, or any known family's."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.classifier import Classifier
from vitreous.model.config import Dialect
from vitreous.parallel.host_memory import keep_freed_memory
from vitreous.weights.adapt import adapt
from vitreous.weights.bounds import check_architecture, own_tensor
from vitreous.weights.family import Hints
from vitreous.weights.fetch import PREFIX, fetch
from vitreous.weights.foreign import foreign_passport, load_foreign
from vitreous.weights.passport import Passport, check_canary, passport_of, with_class_order
from vitreous.weights.read import Checkpoint, check_finite, open_checkpoint

_OWN = "vitreous"  # the key of the passport in a safetensors header


def load(
    path: str | Path,
    *,
    num_classes: int | None = None,
    class_names: tuple[str, ...] = (),
    keep_head: bool = False,
    image_size: int | tuple[int, int] | None = None,
    resample: Dialect | None = None,
    patch: int | tuple[int, int] | None = None,
    channels: int | None = None,
    heads: int | None = None,
    activation: str | None = None,
    pooling: str | None = None,
    normalisation: str | None = None,
    architecture: str | None = None,
    wrapper: str | None = None,
    class_order: str | None = None,
) -> Classifier:
    """A model, ready to use, with its `passport`.

    >>> model = load("runs/flowers")
    >>> model = load("B_16.npz", num_classes=5, image_size=384)

    Args:
        path: A run folder, or a checkpoint of any known family (`weights/recognise.py`), or the
            folder that holds one. The family is told from the tensors; a `config.json` or
            `NAME.config.json` beside them is read, and must agree. `hf:owner/name` is a model of
            the Hugging Face hub.
        num_classes: A new head of this many classes, starting at zero.
        class_names: Of the new head: see `adapt`, also for what follows.
        keep_head: Copy the rows of names that the old head knows.
        image_size: A new image size, (H, W) or one side; positions are resampled. Where the
            file has a grid that is not square and does not say its sides, this says them.
        resample: The rule of resampling; the family's own where not given.
        patch: A new patch side, or (height, width); the patch kernel is resized by its
            pseudo-inverse.
        channels: A new number of channels.
        heads: Attention heads, where nothing in the file says them. This option and those that
            follow answer what tensors cannot show and no config beside them says; one that
            contradicts the file is refused. What was taken for granted instead stands in the
            passport's `assumptions`, and is logged.
        activation: `gelu`, `gelu_tanh`, `quick_gelu` or `relu`.
        pooling: What the head reads: `token`, `mean` or `map`; of a model of Hugging Face's with a
            pooler and a classifier also `pooler`. Before release 1.16 of vit-pytorch, a model that
            reads the class token and one that averages all tokens (`mean`) have the same tensors.
        normalisation: `half`, `imagenet`, `clip` or `none`: mean and deviation of the images.
        architecture: The name that a config would give: timm's, such as `deit3_small_patch16_224`,
            or Hugging Face's `model_type`.
        wrapper: Which weights, where a file has several: the key that they lie under, such as
            `state_dict_ema`, or what stands before their names, such as `ema_model`.
        class_order: The order of the logits of a model without class names whose classes are
            numbers: `number` (2 before 10), or `text` (10 before 2), in which training libraries
            sort folders.

    Returns:
        The model in inference mode, float32, on the CPU. Where there is no GPU this process keeps
        the memory that it frees from then on (`parallel/host_memory.py`).

    Raises:
        UserError: A damaged file, or one that would have to run code; a family that nobody knows;
            tensors that are missing, left over or not finite; weights that do not fit the
            architecture they claim; a canary that fails.
    """
    checkpoint = open_checkpoint(_local(path), wrapper)
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    answers: dict[str, Any] = {
        "heads": heads,
        "activation": activation,
        "pooling": pooling,
        "normalisation": normalisation,
        "architecture": architecture,
    }
    if _OWN in checkpoint.metadata:
        model = _load_own(checkpoint)
        _refuse_answers(model, checkpoint, answers | {"wrapper": wrapper})
    else:
        hints = Hints(image_size=size, **answers)
        model = load_foreign(checkpoint, hints, wrapper=wrapper)
    if class_order is not None:
        model.passport = with_class_order(passport_of(model), class_order)
    changes: dict[str, Any] = {
        "num_classes": num_classes,
        "class_names": class_names or None,
        "keep_head": keep_head or None,
        "image_size": image_size,
        "resample": resample,
        "patch": patch,
        "channels": channels,
    }
    if asked := {name: value for name, value in changes.items() if value is not None}:
        model = adapt(model, **asked, share=True)
    for assumption in passport_of(model).assumptions:
        logging.getLogger("vitreous").warning("%s: %s", checkpoint.file, assumption)
    if not torch.cuda.is_available():
        keep_freed_memory()  # who loads a model is about to call it
    return model.eval()


def _local(path: str | Path) -> Path:
    return fetch(str(path)) if str(path).startswith(PREFIX) else Path(path)


def _refuse_answers(model: Classifier, checkpoint: Checkpoint, answers: dict[str, Any]) -> None:
    """Refuse words about a file that says all of it itself, unless they are what it says."""
    for option, answer in answers.items():
        if answer is not None and answer != getattr(model.config, option, None):
            raise UserError(
                f"{checkpoint.file} has a passport, which says all of this model: leave "
                f"{option}={answer!r} out"
            )


def _load_own(checkpoint: Checkpoint) -> Classifier:
    passport = _own_passport(checkpoint)
    check_architecture(passport.architecture, checkpoint.shapes, checkpoint.file)
    model = empty_model(passport.architecture)
    _check_names(model, checkpoint)
    tensors = {name: own_tensor(checkpoint.read(name)) for name in checkpoint.shapes}
    for name, tensor in tensors.items():
        check_finite(tensor, name, checkpoint.file)
    model.load_state_dict(tensors, assign=True)
    model.passport = passport
    check_canary(model, passport)
    return model


def _own_passport(checkpoint: Checkpoint) -> Passport:
    try:
        passport = Passport.from_json(checkpoint.metadata[_OWN])
    except UserError as error:
        raise UserError(f"{checkpoint.file}: {error}") from error
    # Weights that were converted keep the name of the file that they came from.
    return replace(passport, origin={"file": str(checkpoint.file)} | passport.origin)


def _check_names(model: Classifier, checkpoint: Checkpoint) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = checkpoint.shapes
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
            raise UserError(
                f"{checkpoint.file} {problem} {len(names)} tensors of its architecture: {listed}"
            )


def read_passport(path: str | Path) -> Passport:
    """Only the passport of a file or run folder; large weights are not read.

    Raises:
        UserError: See `load`.
    """
    checkpoint = open_checkpoint(_local(path))
    if _OWN in checkpoint.metadata:
        return _own_passport(checkpoint)
    return foreign_passport(checkpoint, Hints())
