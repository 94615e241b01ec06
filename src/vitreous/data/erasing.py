"""Random erasing: a box of noise over part of an image, on the device."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vitreous.data.augmentation import Augmentation
from vitreous.data.draws import Draws

_TRIES = 10
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
    images: Float[Tensor, "B C H W"], boxes: Int64[Tensor, "B 4"], draw: np.random.Generator
) -> Float[Tensor, "B C H W"]:
    """Put normal noise into each image's box, pixel by pixel.

    Args:
        images: Normalised pixels.
        boxes: Top, left, height and width.
        draw: The step's source of randomness; the noise follows from it on any one device.
    """
    generator = torch.Generator(images.device).manual_seed(int(draw.integers(1 << 62)))
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    top, left, height, width = boxes[:, :, None].unbind(1)  # (B, 1)
    rows = torch.arange(images.shape[2], device=images.device)
    columns = torch.arange(images.shape[3], device=images.device)
    inside_rows = (rows >= top) & (rows < top + height)  # (B, H)
    inside_columns = (columns >= left) & (columns < left + width)  # (B, W)
    inside = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
    return torch.where(inside, noise, images)
