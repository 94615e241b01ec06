"""Rotation, scale and shift of whole batches on the device."""

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional as F

from vitreous.data.augmentation import Augmentation
from vitreous.data.constant import constant
from vitreous.data.draws import Draws


def draw_movement(augmentation: Augmentation, draws: Draws) -> Float32[np.ndarray, "B 2 3"]:
    """Each sample's rotation, scale and shift, as the matrix that `move` takes."""
    turn, growth = draws.uniform(-1, 1, 2).T
    scale = 1 / (1 + growth * augmentation.scale)
    angle = np.radians(turn * augmentation.rotate)
    # A shift by the whole side is 2 in coordinates of [-1, 1].
    dx, dy = (draws.uniform(-2, 2, 2) * augmentation.translate).T
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    rows = np.array([[cos, -sin, dx], [sin, cos, dy]], dtype=np.float32)
    return np.moveaxis(rows, 2, 0)


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
    pixel = constant((2 / W, 2 / H), movement.device, movement.dtype)
    turned, shift = movement.split((2, 1), dim=2)
    shifted_only = (turned == torch.eye(2, device=movement.device)).all((1, 2))[:, None, None]
    whole = ((shift.mT / pixel).round() * pixel).mT
    movement = torch.cat([turned, torch.where(shifted_only, whole, shift)], 2)
    square = constant(((1, H / W, 1), (W / H, 1, 1)), movement.device, movement.dtype)
    grid = _sampled(movement * square, H, W)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _sampled(movement: Float[Tensor, "B 2 3"], H: int, W: int) -> Float[Tensor, "B H W 2"]:
    """Where each pixel comes from: PyTorch's `affine_grid`, by sums in place of its products."""
    down = (2 * torch.arange(H, device=movement.device) + 1) / H - 1
    right = (2 * torch.arange(W, device=movement.device) + 1) / W - 1
    by_right, by_down, shift = movement[:, :, None, None].unbind(4)  # (B, 2, 1, 1) each
    return (by_right * right + (by_down * down[:, None] + shift)).permute(0, 2, 3, 1)
