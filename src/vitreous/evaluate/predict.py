"""Labels and probabilities for images as people hold them: files, PIL images, arrays."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps
from torch import Tensor

from vitreous.data.batch import normalise
from vitreous.data.decode import decode
from vitreous.data.modes import to_uint8
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sources.encoded import MAX_BYTES
from vitreous.data.transform import fit_for_test
from vitreous.errors import BadImageError, UserError
from vitreous.evaluate.multilabel import THRESHOLD
from vitreous.files import read_file
from vitreous.model.answering import answering
from vitreous.model.classifier import Classifier, check_classifier
from vitreous.model.probability import probabilities
from vitreous.parallel.device import Engine, choose_engine
from vitreous.weights.passport import Passport, passport_of

# Arrays are uint8 (H, W, C) or (H, W), of strings are paths; others are refused one by one.
Picture = str | Path | Image.Image | np.ndarray


# Channels of an array that is a picture -> its mode.
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Attributes:
        name: The file's path, or the image's place in the call.
        labels: The most probable class; of a model that gives several labels, all classes over
            the threshold, which may be none.
        probabilities: (Class name, probability), largest first; two classes may share a name, as
            ImageNet's cranes do.
    """

    name: str
    probabilities: tuple[tuple[str, float], ...]
    labels: tuple[str, ...]

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.probabilities[0][0]

    @property
    def confidence(self) -> float:
        """The probability of `label`."""
        return self.probabilities[0][1]


def predict(
    model: Classifier,
    images: Picture | Iterable[Picture],
    *,
    top: int = 5,
    threshold: float = THRESHOLD,
    batch_size: int = 32,
    device: str = "auto",
    precision: str = "auto",
    on_bad: Callable[[BadImageError], None] | None = None,
) -> list[Prediction]:
    """Classify images.

    >>> vitreous.predict(model, ["a.jpg", "b.png"])[0].label

    Args:
        model: With the preprocessing and the class names of its passport; it is moved to the
            device. One of another precision than float32 answers in its own.
        images: One or many: paths (an array of strings too), PIL images, or uint8 arrays (H, W, C)
            or (H, W); an array (N, H, W, C) is N images. Grey arrays and those with an alpha
            channel become what the model takes as PIL images do.
        top: How many classes to name for each; those over the threshold are all named.
        threshold: Probability from which a class is there, for models of several labels.
        batch_size: Images at once.
        device: `auto`, or a name torch knows.
        precision: `auto`, `float32` or `bfloat16`.
        on_bad: Told of each image that cannot be read, which is then left out.

    Returns:
        One prediction per image that could be read, in order.

    Raises:
        UserError: An image cannot be read, and `on_bad` is not given; the model is none of
            vitreous, has no head or another than its class names are of, or gives logits that are
            not finite; or `top` or `batch_size` is under 1, or `threshold` is no probability.
    """
    for option, value in (("top", top), ("batch_size", batch_size)):
        if value < 1:
            raise UserError(f"{option} is {value}: give at least 1")
    if not 0 < threshold < 1:
        raise UserError(f"threshold is {threshold}: give a probability, over 0 and below 1")
    check_classifier(getattr(model, "_orig_mod", model), "predict")  # compiled, it is one inside
    passport = passport_of(model)
    if not passport.class_names:
        raise UserError("this model has no head to predict with: load it with num_classes=")
    engine = choose_engine(device, precision)
    model = model.to(engine.device)
    pictures: Any = _pictures(images)
    fitted = _fitted(pictures, passport.preprocessing, on_bad)
    predictions = []
    with answering(model):
        while chunk := list(islice(fitted, batch_size)):
            logits = _logits(model, torch.stack([pixels for _, pixels in chunk]), passport, engine)
            shares = probabilities(logits, passport.multi_label)
            for (name, _), row in zip(chunk, shares.cpu(), strict=True):
                over = int((row >= threshold).sum()) if passport.multi_label else 1
                best = row.topk(min(max(top, over), len(row)))
                labels = [passport.class_names[place] for place in best.indices.tolist()]
                named = tuple(zip(labels, best.values.tolist(), strict=True))
                predictions.append(Prediction(name, named, tuple(labels[:over])))
    return predictions


@torch.inference_mode()
def _logits(
    model: Classifier, pixels: UInt8[Tensor, "B C H W"], passport: Passport, engine: Engine
) -> Float[Tensor, "B K"]:
    dtype = next(model.parameters()).dtype
    images = normalise(pixels.to(engine.device), passport.preprocessing).to(dtype)
    with engine.autocast() if dtype == torch.float32 else nullcontext():
        logits: Tensor = model(images).float()
    named, known = passport.origin.get("file", "this model"), len(passport.class_names)
    if logits.shape[1] != known:
        raise UserError(
            f"{named} gives {logits.shape[1]} logits and its passport names {known} classes: put "
            "the classes of its head into model.passport"
        )
    if not logits.isfinite().all():
        raise UserError(
            f"{named} gives logits that are not finite: its weights are damaged, or too large for "
            "this precision"
        )
    return logits


def _pictures(images: Picture | Iterable[Picture]) -> Iterable[Any]:
    """One image or many as many."""
    if isinstance(images, np.ndarray):
        if images.dtype.kind in "UO" and images.ndim <= 1:
            return [str(own) if isinstance(own, str) else own for own in np.atleast_1d(images)]
        return list(images) if images.ndim == 4 else [images]
    if isinstance(images, str | bytes) or not isinstance(images, Iterable):
        return [images]
    return images


def _fitted(
    pictures: Iterable[Picture],
    rule: Preprocessing,
    on_bad: Callable[[BadImageError], None] | None,
) -> Iterator[tuple[str, UInt8[Tensor, "C H W"]]]:
    """Images that can be read, one whole at a time: a photograph is a hundred times its fit."""
    for place, picture in enumerate(pictures):
        name = str(picture) if isinstance(picture, str | Path) else f"image {place}"
        try:
            fitted = fit_for_test(read_picture(picture, name, rule.channels), rule)
        except BadImageError as error:
            if on_bad is None:
                fix = "" if ": give " in error.reason else ": give another image"
                raise UserError(f"cannot read {error}{fix}") from error
            on_bad(error)
        else:
            yield name, fitted


def read_picture(picture: Picture, name: str, channels: int) -> UInt8[np.ndarray, "H W C"]:
    """Pixels of a file, a PIL image or an array, with the model's number of channels.

    Raises:
        BadImageError: It cannot be read, has another number of channels, or is no picture.
    """
    if isinstance(picture, str | Path | Image.Image) and channels not in (1, 3):
        raise BadImageError(name, f"has 1 or 3 channels: give an array of (H, W, {channels})")
    if isinstance(picture, str | Path):
        try:
            data = read_file(picture, MAX_BYTES)
        except OSError as error:
            raise BadImageError(name, error.strerror or str(error)) from error
        return decode(data, name, channels)
    if isinstance(picture, Image.Image):
        try:
            return to_uint8(ImageOps.exif_transpose(picture), channels)
        except Exception as fault:  # Pillow decodes late, and fails with whatever is nearest
            raise BadImageError(name, str(fault) or type(fault).__name__) from fault
    wanted = f"uint8 of (H, W, {channels})"
    if isinstance(picture, Tensor):
        raise BadImageError(name, f"is a tensor: give tensor.permute(1, 2, 0).numpy(), {wanted}")
    if not isinstance(picture, np.ndarray):
        raise BadImageError(
            name, f"is {type(picture).__name__}: give a path, a PIL image, or an array, {wanted}"
        )
    array = picture[:, :, None] if picture.ndim == 2 else picture
    held = array.shape[2] if array.ndim == 3 and array.dtype == np.uint8 and array.size else 0
    if held in _MODES and channels in _MODES and held != channels:
        plain = array[:, :, 0] if held == 1 else array
        return to_uint8(Image.fromarray(plain, _MODES[held]), channels)
    fits = array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == channels
    if not fits or array.size == 0:
        raise BadImageError(name, f"is {array.dtype} {array.shape}: give {wanted}")
    return array
