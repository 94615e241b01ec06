"""Images to begin with: photographs and scans that come with scikit-learn, and a drawing."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from vitreous.data.decode import Pixels
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.sources.digits import open_digits

_DIGITS = (0, 3, 5, 8)
_FEW_PIXELS = 48
_SIDE = 224


@dataclass(frozen=True)
class Example:
    """An image file that is always there.

    Attributes:
        name: In its address.
        title: What it shows.
        credit: Whose it is.
        data: The file.
    """

    name: str
    title: str
    credit: str
    data: bytes

    @property
    def media_type(self) -> str:
        """Of the file."""
        return "image/jpeg" if self.name.endswith(".jpg") else "image/png"


def examples_for(rule: Preprocessing) -> tuple[Example, ...]:
    """All examples, those that look most like a model's own images first."""
    ours = [_photo("flower", "A flower"), _photo("china", "A temple roof"), _drawing()]
    small = rule.channels == 1 or max(rule.size) < _FEW_PIXELS
    return (*_digits(), *ours) if small else (*ours, *_digits())


def _photo(name: str, title: str) -> Example:
    data = (files("sklearn.datasets.images") / f"{name}.jpg").read_bytes()
    return Example(f"{name}.jpg", title, "CC BY 2.0, comes with scikit-learn", data)


@cache
def _digits() -> tuple[Example, ...]:
    """Of the test part, the first of some digits."""
    part = open_digits().parts["test"]
    labels = part.labels.tolist()
    return tuple(
        Example(
            f"digit-{digit}.png",
            f"A handwritten {digit}",
            "UCI ML digits, CC BY 4.0",
            encode_png(part.read(labels.index(digit))),
        )
        for digit in _DIGITS
    )


def _drawing() -> Example:
    """A disc and a square far from one another, on a ramp of grey."""
    ramp = np.linspace(216, 244, _SIDE).astype(np.uint8)
    image = Image.fromarray(np.broadcast_to(ramp[:, None, None], (_SIDE, _SIDE, 3)).copy())
    draw = ImageDraw.Draw(image)
    draw.ellipse((24, 30, 96, 102), fill="#d9541e")
    draw.rectangle((138, 132, 200, 194), fill="#0b66ad")
    return Example("shapes.png", "A disc and a square", "drawn here", encode_png(np.asarray(image)))


def encode_png(pixels: Pixels) -> bytes:
    """An image file of grey or RGB pixels, exactly."""
    file = BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()
