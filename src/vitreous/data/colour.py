"""Brightness, contrast, saturation and hue of whole batches on the device."""

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from vitreous.data.augmentation import Augmentation
from vitreous.data.constant import constant
from vitreous.data.draws import Draws


def draw_colour(augmentation: Augmentation, draws: Draws) -> Float32[np.ndarray, "B F"]:
    """Each sample's factors of brightness, contrast, saturation; and its turn, if hues turn."""
    ranges = np.array([augmentation.brightness, augmentation.contrast, augmentation.saturation])
    factors = np.maximum(1 + draws.uniform(-1, 1, 3) * ranges, 0)
    if augmentation.hue:
        turns = draws.uniform(-augmentation.hue, augmentation.hue, 1)
        factors = np.concatenate([factors, turns], axis=1)
    return factors.astype(np.float32)


def recolour(
    images: Float[Tensor, "B C H W"], colour: Float[Tensor, "B F"]
) -> Float[Tensor, "B C H W"]:
    """Scale brightness, contrast about the mean grey, and saturation about each pixel's grey.

    Args:
        images: Pixels in [0, 255].
        colour: A factor of each kind per image, 1 changes nothing. A fourth column, for images of
            3 channels, is the share of the colour circle by which hues turn at last.
    """
    brightness, contrast, saturation, *turn = colour[:, :, None, None, None].unbind(1)  # (B,1,1,1)
    images = images * brightness
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (images - mean) * contrast
    grey = images.mean(1, keepdim=True)
    images = (grey + (images - grey) * saturation).clamp(0, 255)
    return _turn_hue(images, *turn) if turn else images


def _turn_hue(
    images: Float[Tensor, "B 3 H W"], turn: Float[Tensor, "B 1 1 1"]
) -> Float[Tensor, "B 3 H W"]:
    """Add to H of HSV (Smith 1978, "Color gamut transform pairs"); S and V stay."""
    value, low = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    chroma = value - low
    red, green, blue = (images / chroma.clamp(min=1e-6)).split(1, dim=1)
    # Which sixth of the circle, from red over yellow and green.
    sixth = torch.where(images[:, 1:2] == value, 2 + blue - red, 4 + red - green)
    sixth = torch.where(images[:, :1] == value, green - blue, sixth)
    # How far each channel lies from its own place on the circle.
    start = constant((5.0, 3.0, 1.0), images.device).view(3, 1, 1)
    away = (start + sixth + 6 * turn) % 6
    return value - chroma * torch.minimum(away, 4 - away).clamp(0, 1)
