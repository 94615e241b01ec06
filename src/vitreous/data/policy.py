"""Policies of image operations: RandAugment, TrivialAugment and 3-Augment, in Pillow.

An operation's strength goes from 0 to 1, times the range that the policy gives it. Pixels that a
movement brings in are mid-grey, and movements take the nearest pixel, as in the policies' own
code.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from torch import Tensor

from vitreous.data.augmentation import Augmentation

Operation = Callable[[Image.Image, float], Image.Image]

_GREY = 128


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

    Each takes an image and a strength in [-1, 1]; the sign says which way, where there are two.
    """

    def affine(image: Image.Image, *matrix: float) -> Image.Image:
        grey = _GREY if image.mode == "L" else (_GREY,) * 3
        return image.transform(image.size, Image.Transform.AFFINE, matrix, fillcolor=grey)

    def enhance(kind: Callable[[Image.Image], ImageEnhance._Enhance]) -> Operation:
        return lambda image, s: kind(image).enhance(1 + ranges.enhance * s)

    def rotate(image: Image.Image, s: float) -> Image.Image:
        grey = _GREY if image.mode == "L" else (_GREY,) * 3
        return image.rotate(ranges.rotate * s, fillcolor=grey)

    return {
        "identity": lambda image, s: image,
        "autocontrast": lambda image, s: ImageOps.autocontrast(image),
        "equalize": lambda image, s: ImageOps.equalize(image),
        "rotate": rotate,
        "solarize": lambda image, s: ImageOps.solarize(image, round(256 * (1 - abs(s)))),
        "posterize": lambda image, s: ImageOps.posterize(image, 8 - round(ranges.bits * abs(s))),
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


_RAND_OPERATIONS = tuple(operations(RAND).values())
_WIDE_OPERATIONS = tuple(operations(WIDE).values())


def apply_policy(
    image: UInt8[Tensor, "C H W"], augmentation: Augmentation, draw: np.random.Generator
) -> UInt8[Tensor, "C H W"]:
    """One image through the policy that the augmentation names.

    Args:
        image: Pixels at the model's size; 1 or 3 channels.
        augmentation: Names the policy, the number of operations and their magnitude.
        draw: The sample's own source of randomness.
    """
    if augmentation.policy == "none":
        return image
    channels = image.shape[0]
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    changed = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    match augmentation.policy:
        case "randaugment":
            changed = _rand_augment(changed, augmentation, draw)
        case "trivialaugment":
            changed = _trivial_augment(changed, draw)
        case "threeaugment":
            changed = _three_augment(changed, draw)
    out = np.array(changed).reshape(*image.shape[1:], channels)
    return torch.from_numpy(out).permute(2, 0, 1)


def _rand_augment(
    image: Image.Image, augmentation: Augmentation, draw: np.random.Generator
) -> Image.Image:
    strength = augmentation.magnitude / 10
    for _ in range(augmentation.operations):
        chosen = _RAND_OPERATIONS[int(draw.integers(len(_RAND_OPERATIONS)))]
        image = chosen(image, strength * _sign(draw))
    return image


def _trivial_augment(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    chosen = _WIDE_OPERATIONS[int(draw.integers(len(_WIDE_OPERATIONS)))]
    return chosen(image, int(draw.integers(31)) / 30 * _sign(draw))


def _three_augment(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Grey, inverted highlights or blur, one of them (Touvron et al. 2022, arXiv 2204.07118)."""
    kind, radius = int(draw.integers(3)), float(draw.uniform(0.1, 2.0))
    if kind == 0:
        return image.convert("L").convert(image.mode)
    if kind == 1:
        return ImageOps.solarize(image, 128)
    return image.filter(ImageFilter.GaussianBlur(radius))


def _sign(draw: np.random.Generator) -> int:
    return 1 if draw.random() < 0.5 else -1
