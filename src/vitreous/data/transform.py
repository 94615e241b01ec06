"""Pixels of one image to the model's size: the exact test rule, and the random training crop."""

import math

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from vitreous.data.augmentation import Augmentation
from vitreous.data.preprocessing import Interpolation, Preprocessing

Pixels = UInt8[np.ndarray, "H W C"]

# A resize whose centre is wanted makes at most this many times the centre's pixels: what is
# resized whole of a strip of 1 x 60,000 pixels would fill the memory.
_MOST_COVERED = 16


def fit_for_test(pixels: Pixels, rule: Preprocessing) -> UInt8[Tensor, "C H2 W2"]:
    """Resize, and crop the centre where the rule says so; the same for every call.

    Source: the paper's evaluation follows BiT (resize only, `fit="squash"`); `fit="crop"` is the
    usual resize of the shorter side and centre crop.
    """
    H, W = pixels.shape[:2]
    height, width = rule.size
    if rule.fit == "squash":
        return _resize(pixels, (0, 0, H, W), rule.size, rule.interpolation)
    scale = max(height / H, width / W) / rule.crop_fraction
    covering = max(round(H * scale), height), max(round(W * scale), width)
    top, left = (covering[0] - height) // 2, (covering[1] - width) // 2
    if covering[0] * covering[1] > _MOST_COVERED * height * width:
        return _resize_window(pixels, covering, (top, left), rule)
    resized = _resize(pixels, (0, 0, H, W), covering, rule.interpolation)
    return resized[:, top : top + height, left : left + width].contiguous()


def fit_for_training(
    pixels: Pixels, rule: Preprocessing, augmentation: Augmentation, draw: np.random.Generator
) -> UInt8[Tensor, "C H2 W2"]:
    """The random crop and the mirror, or the test rule where no crop is asked for.

    Args:
        pixels: Decoded image.
        rule: Gives size and interpolation.
        augmentation: What is drawn.
        draw: The sample's own source of randomness; always the same number of draws is taken.
    """
    H, W = pixels.shape[:2]
    box = inception_crop(H, W, augmentation, draw)
    mirrored = draw.random() < augmentation.flip
    if augmentation.crops:
        out = _resize(pixels, box, rule.size, rule.interpolation)
    else:
        out = fit_for_test(pixels, rule)
    return out.flip(2) if mirrored else out


def inception_crop(
    H: int, W: int, augmentation: Augmentation, draw: np.random.Generator
) -> tuple[int, int, int, int]:
    """A random box (top, left, height, width) of a drawn area and aspect ratio.

    Ten tries, then the largest central box within the ratios: the rule of Szegedy et al. 2015
    (arXiv 1409.4842) as torchvision and vit_jax have it.
    """
    areas = draw.uniform(*augmentation.crop_area, size=10) * (H * W)
    low, high = augmentation.crop_ratio
    ratios = np.exp(draw.uniform(math.log(low), math.log(high), size=10))
    place = draw.random(2)
    for area, ratio in zip(areas.tolist(), ratios.tolist(), strict=True):
        height, width = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < height <= H and 0 < width <= W:
            top, left = (place * (H - height + 1, W - width + 1)).astype(int).tolist()
            return top, left, height, width
    width = max(min(W, round(H * high)), 1)
    height = max(min(H, round(width / low)), 1)
    return (H - height) // 2, (W - width) // 2, height, width


def _resize(
    pixels: Pixels,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
    interpolation: Interpolation,
) -> UInt8[Tensor, "C H2 W2"]:
    """Cut a box and resize it, antialiased, in uint8.

    Within one grey level of Pillow, but for a pixel in thousands where bicubic overshoots.
    """
    top, left, height, width = box
    cut = np.require(pixels[top : top + height, left : left + width], requirements=("C", "W"))
    image = torch.from_numpy(cut).permute(2, 0, 1)  # (C, h, w)
    if (height, width) == size:
        return image.contiguous()
    if interpolation == "nearest":
        return F.interpolate(image[None], size, mode="nearest-exact")[0]
    resized = F.interpolate(image[None], size, mode=interpolation, antialias=True)
    return resized[0].contiguous()


def _resize_window(
    pixels: Pixels, covering: tuple[int, int], corner: tuple[int, int], rule: Preprocessing
) -> UInt8[Tensor, "C H2 W2"]:
    """The window of the rule's size at a corner of the resized image, and nothing beside it."""
    H, W = pixels.shape[:2]
    rows, columns = H / covering[0], W / covering[1]
    top, left = corner
    height, width = rule.size
    window = (left * columns, top * rows, (left + width) * columns, (top + height) * rows)
    resample = Image.Resampling[rule.interpolation.upper()]
    planes = [
        np.asarray(Image.fromarray(plane).resize((width, height), resample, window))
        for plane in np.ascontiguousarray(pixels.transpose(2, 0, 1))
    ]
    return torch.from_numpy(np.stack(planes))
