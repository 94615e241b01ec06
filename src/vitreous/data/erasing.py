"""Random erasing: a box of noise over part of an image, on the device."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vitreous.data.augmentation import Augmentation
from vitreous.data.draws import Draws

_TRIES = 10
# Where in a step's noise an image's may begin: a prime, and about its golden section.
_PLACES, _STRIDE = 65_537, 40_503
_RATIO = (0.3, 1 / 0.3)


def draw_erasing(
    augmentation: Augmentation, size: tuple[int, int], draws: Draws
) -> Int64[np.ndarray, "B 4"]:
    """Each sample's top, left, height and width of its box; zeros where nothing is erased.

    Source: Zhong et al. 2017, arXiv 1708.04896, algorithm 1, with the ratio drawn on a log scale
    as in DeiT.
    """
    H, W = size
    asked, down, right = draws.random(3).T
    areas = draws.uniform(*augmentation.erase_area, _TRIES) * (H * W)
    ratios = np.exp(draws.uniform(math.log(_RATIO[0]), math.log(_RATIO[1]), _TRIES))
    heights, widths = np.rint(np.sqrt(areas * ratios)), np.rint(np.sqrt(areas / ratios))
    fits = (heights > 0) & (heights < H) & (widths > 0) & (widths < W)
    erased = (asked < augmentation.erase) & fits.any(1)
    first = np.arange(len(fits)), fits.argmax(1)
    height, width = heights[first], widths[first]
    boxes = np.stack([down * (H - height + 1), right * (W - width + 1), height, width], axis=1)
    return np.where(erased[:, None], boxes, 0).astype(np.int64)


def erase(
    images: Float[Tensor, "B C H W"],
    boxes: Int64[Tensor, "B 4"],
    index: Int64[Tensor, " B"],
    draw: np.random.Generator,
) -> Float[Tensor, "B C H W"]:
    """Put normal noise into each image's box, pixel by pixel.

    An image's noise is a stretch of numbers that the whole step shares, begun at a place of its
    own: it is the same whichever images are beside it, on any number of ranks.

    Args:
        images: Normalised pixels.
        boxes: Top, left, height and width.
        index: Position of each image in its part.
        draw: The step's source of randomness; the noise follows from it on any one device.
    """
    generator = torch.Generator(images.device).manual_seed(int(draw.integers(1 << 62)))
    size = images.shape[1:].numel()
    numbers = torch.randn(size + _PLACES - 1, generator=generator, device=images.device)
    # Places of neighbours lie apart, and so do those of an image's copies, by their boxes.
    places = (index * _STRIDE + boxes.sum(1)) % _PLACES
    noise = numbers.unfold(0, size, 1)[places].view(images.shape)
    top, left, height, width = boxes[:, :, None].unbind(1)  # (B, 1)
    rows = torch.arange(images.shape[2], device=images.device)
    columns = torch.arange(images.shape[3], device=images.device)
    inside_rows = (rows >= top) & (rows < top + height)  # (B, H)
    inside_columns = (columns >= left) & (columns < left + width)  # (B, W)
    inside = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
    return torch.where(inside, noise, images)
