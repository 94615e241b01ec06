"""Mixup and cutmix: batches mixed with themselves on the device."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vitreous.data.augmentation import Augmentation


def mix(
    images: Float[Tensor, "B C H W"],
    targets: Float[Tensor, "B K"],
    augmentation: Augmentation,
    draw: np.random.Generator,
) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B K"]]:
    """Mixup or cutmix of each image with its neighbour; targets in the same shares.

    Neighbours are images 0 and 1, 2 and 3, and so on, each copy of a repeated image with one of
    its neighbour's; what has no neighbour at the end of a batch stays as it is. Batches come in
    random order, so these pairs are as random as any, and they stay together when ranks share a
    batch in even stretches.

    Source: mixup, arXiv 1710.09412, equation 1; cutmix, arXiv 1905.04899, section 3.1. One share
    a batch, as in both papers.

    Args:
        images: Normalised pixels.
        targets: Probabilities per class.
        augmentation: Which kinds, and how often.
        draw: The step's source of randomness.
    """
    kinds = [
        (kind, alpha)
        for kind, alpha in ((_mixup, augmentation.mixup), (_cutmix, augmentation.cutmix))
        if alpha > 0
    ]
    if not kinds or draw.random() >= augmentation.mix_probability:
        return images, targets
    kind, alpha = kinds[int(draw.integers(len(kinds)))]
    order = _neighbours(len(images), augmentation.repeats, images.device)
    images, share = kind(images, order, float(draw.beta(alpha, alpha)), draw)
    return images, targets.lerp(targets[order], 1 - share)


def _neighbours(size: int, repeats: int, device: torch.device) -> Int64[Tensor, " B"]:
    index = torch.arange(size, device=device)
    neighbour = (index // repeats ^ 1) * repeats + index % repeats
    return torch.where(neighbour < size, neighbour, index)


def _mixup(
    images: Tensor, order: Tensor, share: float, draw: np.random.Generator
) -> tuple[Tensor, float]:
    return images.lerp(images[order], 1 - share), share


def _cutmix(
    images: Tensor, order: Tensor, share: float, draw: np.random.Generator
) -> tuple[Tensor, float]:
    H, W = images.shape[2:]
    height, width = (round(side * math.sqrt(1 - share)) for side in (H, W))
    # The box may stick out, as in the paper; the share is what really was pasted.
    top, left = int(draw.integers(H)) - height // 2, int(draw.integers(W)) - width // 2
    rows = slice(max(top, 0), min(top + height, H))
    columns = slice(max(left, 0), min(left + width, W))
    images = images.clone()
    images[:, :, rows, columns] = images[order][:, :, rows, columns]
    pasted = (rows.stop - rows.start) * (columns.stop - columns.start) / (H * W)
    return images, 1 - pasted
