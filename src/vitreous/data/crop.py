"""Where a random crop lies: drawn once, then a function of the image's size."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from vitreous.data.augmentation import Augmentation
from vitreous.data.draws import Draws

Box = tuple[int, int, int, int]
"""Top, left, height and width, pixels."""

BoxRule = Callable[[int, int], Box]
"""From an image's (H, W) to a box inside it; the same whenever it is called."""

_TRIES = 10


@dataclass(frozen=True)
class RandomCrop:
    """A box of a drawn area and aspect ratio, for an image whose size is not yet known.

    Ten tries, then the largest central box within the ratios: the rule of Szegedy et al. 2015
    (arXiv 1409.4842) as torchvision and vit_jax have it.

    Attributes:
        areas: Shares of the image's area, one a try.
        ratios: Width / height, one a try.
        place: Where the box lies in what is left free, rows and columns, in [0, 1).
        limits: Least and largest ratio.
    """

    areas: tuple[float, ...]
    ratios: tuple[float, ...]
    place: tuple[float, float]
    limits: tuple[float, float]

    @classmethod
    def drawn(cls, augmentation: Augmentation, draws: Draws) -> list["RandomCrop"]:
        """Draw one a sample."""
        areas = draws.uniform(*augmentation.crop_area, _TRIES)
        low, high = augmentation.crop_ratio
        ratios = np.exp(draws.uniform(math.log(low), math.log(high), _TRIES))
        rows = zip(areas.tolist(), ratios.tolist(), draws.random(2).tolist(), strict=True)
        return [
            cls(tuple(areas), tuple(ratios), (down, right), (low, high))
            for areas, ratios, (down, right) in rows
        ]

    def __call__(self, H: int, W: int) -> Box:
        """The box in an image of that size."""
        for area, ratio in zip(self.areas, self.ratios, strict=True):
            pixels = area * (H * W)
            height, width = round(math.sqrt(pixels / ratio)), round(math.sqrt(pixels * ratio))
            if 0 < height <= H and 0 < width <= W:
                down, right = self.place
                return int(down * (H - height + 1)), int(right * (W - width + 1)), height, width
        low, high = self.limits
        width = max(min(W, round(H * high)), 1)
        height = max(min(H, round(width / low)), 1)
        return (H - height) // 2, (W - width) // 2, height, width


def cut(pixels: UInt8[np.ndarray, "H W C"], box: Box) -> UInt8[np.ndarray, "h w C"]:
    """The pixels inside a box, as a view."""
    top, left, height, width = box
    return pixels[top : top + height, left : left + width]
