"""Brightness, contrast and saturation of whole batches on the device."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from vitreous.data.augmentation import Augmentation


def draw_colour(augmentation: Augmentation, draw: np.random.Generator) -> Float[np.ndarray, " 3"]:
    """One sample's factors of brightness, contrast and saturation."""
    ranges = np.array([augmentation.brightness, augmentation.contrast, augmentation.saturation])
    return np.maximum(1 + draw.uniform(-1, 1, size=3) * ranges, 0).astype(np.float32)


def recolour(
    images: Float[Tensor, "B C H W"], colour: Float[Tensor, "B 3"]
) -> Float[Tensor, "B C H W"]:
    """Scale brightness, contrast about the mean grey, and saturation about each pixel's grey.

    Args:
        images: Pixels in [0, 255].
        colour: A factor of each kind per image; 1 changes nothing.
    """
    brightness, contrast, saturation = colour[:, :, None, None, None].unbind(1)  # (B, 1, 1, 1)
    images = images * brightness
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (images - mean) * contrast
    grey = images.mean(1, keepdim=True)
    return (grey + (images - grey) * saturation).clamp(0, 255)
