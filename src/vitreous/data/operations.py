"""The operations that policies of augmentation draw from, in Pillow.

An operation's strength goes from 0 to 1, times the range that the policy gives it. That of
RandAugment may go beyond, as AugReg's does: movements and enhancements grow, but a factor falls no
lower than at strength 1, and a level keeps one bit, or images would turn black. Pixels that a
movement brings in are mid-grey, and movements take the nearest pixel, as in the policies' own
code.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import Image, ImageEnhance, ImageFilter, ImageOps

Operation = Callable[[Image.Image, float], Image.Image]

GREY = 128
"""What a movement brings in."""

NOWHERE = -1
"""The same where the image is of whole numbers: they tell places, and this is none."""

_FILL: Mapping[str, int | tuple[int, ...]] = {"L": GREY, "RGB": (GREY,) * 3, "I": NOWHERE}


@dataclass(frozen=True)
class Ranges:
    """The most that each kind of operation does, at strength 1.

    Attributes:
        rotate: Degrees.
        shear: Tangent of the angle.
        translate: Share of the side, from the side in pixels.
        enhance: Difference of the factor from 1.
        bits: Bits of a level that are lost.
    """

    rotate: float
    shear: float
    translate: Callable[[int], float]
    enhance: float
    bits: int


# Cubuk et al. 2019, arXiv 1909.13719: magnitude 10; shifts as torchvision scales them.
RAND = Ranges(30.0, 0.3, lambda side: 150 / 331, 0.9, 4)
# Mueller and Hutter 2021, arXiv 2103.10158, table 1 "wide".
WIDE = Ranges(135.0, 0.99, lambda side: 32 / side, 0.99, 6)


def operations(ranges: Ranges) -> Mapping[str, Operation]:
    """The fourteen operations that RandAugment and TrivialAugment draw from, by name.

    Each takes an image and a strength, in [-1, 1] or beyond; the sign says which way, where there
    are two.
    """

    def affine(image: Image.Image, *matrix: float) -> Image.Image:
        fill = _FILL[image.mode]
        return image.transform(image.size, Image.Transform.AFFINE, matrix, fillcolor=fill)

    def enhance(kind: Callable[[Image.Image], ImageEnhance._Enhance]) -> Operation:
        least = 1 - ranges.enhance
        return lambda image, s: kind(image).enhance(max(1 + ranges.enhance * s, least))

    def posterize(image: Image.Image, s: float) -> Image.Image:
        return ImageOps.posterize(image, max(8 - round(ranges.bits * abs(s)), 1))

    def solarize(image: Image.Image, s: float) -> Image.Image:
        return ImageOps.solarize(image, max(round(256 * (1 - abs(s))), 0))

    return {
        "identity": lambda image, s: image,
        "autocontrast": lambda image, s: ImageOps.autocontrast(image),
        "equalize": lambda image, s: ImageOps.equalize(image),
        "rotate": lambda image, s: image.rotate(ranges.rotate * s, fillcolor=_FILL[image.mode]),
        "solarize": solarize,
        "posterize": posterize,
        "saturation": enhance(ImageEnhance.Color),
        "contrast": enhance(ImageEnhance.Contrast),
        "brightness": enhance(ImageEnhance.Brightness),
        "sharpness": enhance(ImageEnhance.Sharpness),
        "shear x": lambda image, s: affine(image, 1, ranges.shear * s, 0, 0, 1, 0),
        "shear y": lambda image, s: affine(image, 1, 0, 0, ranges.shear * s, 1, 0),
        "translate x": lambda image, s: affine(
            image, 1, 0, ranges.translate(image.width) * s * image.width, 0, 1, 0
        ),
        "translate y": lambda image, s: affine(
            image, 1, 0, 0, 0, 1, ranges.translate(image.height) * s * image.height
        ),
    }


THREE: tuple[Operation, ...] = (
    lambda image, s: image.convert("L").convert(image.mode),
    lambda image, s: ImageOps.solarize(image, 128),
    lambda image, s: image.filter(ImageFilter.GaussianBlur(s)),
)
"""3-Augment's: grey, inverted highlights, or a blur of that radius (Touvron et al. 2022,
arXiv 2204.07118)."""
