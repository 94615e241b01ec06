"""Labels and probabilities for images as people hold them: files, PIL images, arrays."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from vitreous.data.batch import normalise
from vitreous.data.decode import decode
from vitreous.data.modes import to_uint8
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.transform import fit_for_test
from vitreous.errors import BadImageError, UserError
from vitreous.evaluate.multilabel import THRESHOLD
from vitreous.model.classifier import Classifier
from vitreous.model.probability import probabilities
from vitreous.parallel.device import choose_engine
from vitreous.weights.passport import passport_of

# Arrays are uint8 (H, W, C) or (H, W); others are refused one by one.
Picture = str | Path | Image.Image | np.ndarray


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
        model: With the preprocessing and the class names of its passport.
        images: One or many: paths, PIL images, or uint8 arrays (H, W, C) or (H, W).
        top: How many classes to name for each; those over the threshold are all named.
        threshold: Probability from which a class is there, for models of several labels.
        batch_size: Images at once.
        device: `auto`, or a name torch knows.
        precision: `auto`, `float32` or `bfloat16`.
        on_bad: Told of each image that cannot be read, which is then left out.

    Returns:
        One prediction per image that could be read, in order.

    Raises:
        UserError: An image cannot be read, and `on_bad` is not given; the model has no head; or
            `top` or `batch_size` is under 1, or
            `threshold` is no probability.
    """
    for option, value in (("top", top), ("batch_size", batch_size)):
        if value < 1:
            raise UserError(f"{option} is {value}: give at least 1")
    if not 0 < threshold < 1:
        raise UserError(f"threshold is {threshold}: give a probability, over 0 and below 1")
    passport = passport_of(model)
    if not passport.class_names:
        raise UserError("this model has no head to predict with: load it with num_classes=")
    rule, names = passport.preprocessing, passport.class_names
    engine = choose_engine(device, precision)
    model = model.to(engine.device).eval()
    pictures: Iterable[Picture] = (
        [images] if isinstance(images, str | Path | Image.Image | np.ndarray) else images
    )
    fitted = _fitted(pictures, rule, on_bad)
    predictions = []
    while chunk := list(islice(fitted, batch_size)):
        pixels = torch.stack([pixels for _, pixels in chunk])
        with torch.inference_mode(), engine.autocast():
            logits = model(normalise(pixels.to(engine.device), rule))
        shares = probabilities(logits, passport.multi_label)
        for (name, _), row in zip(chunk, shares.cpu(), strict=True):
            over = int((row >= threshold).sum()) if passport.multi_label else 1
            best = row.topk(min(max(top, over), len(names)))
            labels = [names[place] for place in best.indices.tolist()]
            named = tuple(zip(labels, best.values.tolist(), strict=True))
            predictions.append(Prediction(name, named, tuple(labels[:over])))
    return predictions


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
                raise UserError(f"cannot read {error}: give another image") from error
            on_bad(error)
        else:
            yield name, fitted


def read_picture(picture: Picture, name: str, channels: int) -> UInt8[np.ndarray, "H W C"]:
    """Pixels of a file, a PIL image or an array, with the model's number of channels.

    Raises:
        BadImageError: It cannot be read, or has another number of channels.
    """
    if isinstance(picture, str | Path | Image.Image) and channels not in (1, 3):
        raise BadImageError(name, f"has 1 or 3 channels: give an array of (H, W, {channels})")
    if isinstance(picture, str | Path):
        try:
            data = Path(picture).read_bytes()
        except OSError as error:
            raise BadImageError(name, error.strerror or "cannot be read") from error
        return decode(data, name, channels)
    if isinstance(picture, Image.Image):
        try:
            return to_uint8(ImageOps.exif_transpose(picture), channels)
        except Exception as fault:  # Pillow decodes late, and fails with whatever is nearest
            raise BadImageError(name, str(fault) or type(fault).__name__) from fault
    array = picture[:, :, None] if picture.ndim == 2 else picture
    fits = array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == channels
    if not fits or array.size == 0:
        raise BadImageError(
            name, f"is {array.dtype} {array.shape}: give uint8 of (H, W, {channels})"
        )
    return array
