"""Policies of image operations: RandAugment, TrivialAugment and 3-Augment, in Pillow.

An operation's strength goes from 0 to 1, times the range that the policy gives it. That of
RandAugment may go beyond, as AugReg's does: movements and enhancements grow, but a factor falls no
lower than at strength 1, and a level keeps one bit, or images would turn black. Pixels that a
movement brings in are mid-grey, and movements take the nearest pixel, as in the policies' own
code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from vitreous.data.augmentation import Augmentation, Policy
from vitreous.data.draws import Draws

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

    Each takes an image and a strength, in [-1, 1] or beyond; the sign says which way, where there
    are two.
    """

    def affine(image: Image.Image, *matrix: float) -> Image.Image:
        grey = _GREY if image.mode == "L" else (_GREY,) * 3
        return image.transform(image.size, Image.Transform.AFFINE, matrix, fillcolor=grey)

    def enhance(kind: Callable[[Image.Image], ImageEnhance._Enhance]) -> Operation:
        least = 1 - ranges.enhance
        return lambda image, s: kind(image).enhance(max(1 + ranges.enhance * s, least))

    def posterize(image: Image.Image, s: float) -> Image.Image:
        return ImageOps.posterize(image, max(8 - round(ranges.bits * abs(s)), 1))

    def solarize(image: Image.Image, s: float) -> Image.Image:
        return ImageOps.solarize(image, max(round(256 * (1 - abs(s))), 0))

    def rotate(image: Image.Image, s: float) -> Image.Image:
        grey = _GREY if image.mode == "L" else (_GREY,) * 3
        return image.rotate(ranges.rotate * s, fillcolor=grey)

    return {
        "identity": lambda image, s: image,
        "autocontrast": lambda image, s: ImageOps.autocontrast(image),
        "equalize": lambda image, s: ImageOps.equalize(image),
        "rotate": rotate,
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


# Grey, inverted highlights, or a blur of that radius.
_THREE: tuple[Operation, ...] = (
    lambda image, s: image.convert("L").convert(image.mode),
    lambda image, s: ImageOps.solarize(image, 128),
    lambda image, s: image.filter(ImageFilter.GaussianBlur(s)),
)
_OPERATIONS: Mapping[Policy, tuple[Operation, ...]] = {
    "none": (),
    "randaugment": tuple(operations(RAND).values()),
    "trivialaugment": tuple(operations(WIDE).values()),
    "threeaugment": _THREE,
}

Chosen = Sequence[tuple[int, float]]
"""Operations of a policy, by number, with their strengths; they follow one another."""


def draw_policy(augmentation: Augmentation, draws: Draws) -> list[Chosen]:
    """What the policy that the augmentation names does to each sample.

    Args:
        augmentation: Names the policy, the number of operations and their magnitude.
        draws: The samples' own randomness.
    """
    policy = augmentation.policy
    if policy == "none":
        return [()] * len(draws)
    count = augmentation.operations if policy == "randaugment" else 1
    kinds = draws.integers(len(_OPERATIONS[policy]), count)
    signs = np.where(draws.random(count) < 0.5, 1, -1)
    match policy:
        case "randaugment":
            strengths = augmentation.magnitude / 10 * signs
        case "trivialaugment":
            strengths = draws.integers(31, count) / 30 * signs
        case "threeaugment":  # one of three (Touvron et al. 2022, arXiv 2204.07118)
            strengths = draws.uniform(0.1, 2.0, count)
    pairs = zip(kinds.tolist(), strengths.tolist(), strict=True)
    return [list(zip(kind, strength, strict=True)) for kind, strength in pairs]


def apply_policy(
    image: UInt8[np.ndarray, "C H W"], policy: Policy, chosen: Chosen
) -> UInt8[np.ndarray, "C H W"]:
    """One image through operations of a policy.

    Args:
        image: Pixels at the model's size; 1 or 3 channels.
        policy: Whose operations.
        chosen: Which (`draw_policy`).
    """
    if not chosen:
        return image
    grey = image.shape[0] == 1
    pixels = image[0] if grey else image.transpose(1, 2, 0)
    changed = Image.fromarray(np.ascontiguousarray(pixels))
    for kind, strength in chosen:
        changed = _OPERATIONS[policy][kind](changed, strength)
    out = np.asarray(changed)
    return out[None] if grey else out.transpose(2, 0, 1)
