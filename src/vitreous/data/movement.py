"""Rotation, scale and shift of whole batches on the device."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from vitreous.data.augmentation import Augmentation


def draw_movement(
    augmentation: Augmentation, draw: np.random.Generator
) -> Float[np.ndarray, "2 3"]:
    """One sample's rotation, scale and shift, as the matrix that `move` takes."""
    angle = math.radians(draw.uniform(-1, 1) * augmentation.rotate)
    scale = 1 / (1 + draw.uniform(-1, 1) * augmentation.scale)
    # A shift by the whole side is 2 in coordinates of [-1, 1].
    dx, dy = draw.uniform(-2, 2, size=2) * augmentation.translate
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[cos, -sin, dx], [sin, cos, dy]], dtype=np.float32)


def move(
    images: Float[Tensor, "B C H W"], movement: Float[Tensor, "B 2 3"]
) -> Float[Tensor, "B C H W"]:
    """Resample each image by its own affine map, bilinear; outside, the border goes on.

    What is only shifted goes by whole pixels, and stays as sharp as it is.

    Args:
        images: Pixels.
        movement: Output to input coordinates, where [-1, 1] spans either side; rotation and scale
            are meant for a square, and hold their angles on any other shape.
    """
    H, W = images.shape[2:]
    pixel = movement.new_tensor([2 / W, 2 / H])
    turned, shift = movement.split((2, 1), dim=2)
    shifted_only = (turned == torch.eye(2, device=movement.device)).all((1, 2))[:, None, None]
    whole = ((shift.mT / pixel).round() * pixel).mT
    movement = torch.cat([turned, torch.where(shifted_only, whole, shift)], 2)
    square = movement.new_tensor([[1, H / W, 1], [W / H, 1, 1]])
    grid = F.affine_grid(movement * square, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
