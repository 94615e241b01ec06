"""How far attention reaches, in pixels (Figure 7, right, and Figure 11)."""

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.analysis.attention import among_patches
from vitreous.model.recording import Recording

Patch = int | tuple[int, int]
"""Side of a square patch, pixels, or (height, width) of any other."""


def patch_distances(grid: tuple[int, int], patch: Patch) -> Float[Tensor, "N N"]:
    """Pixels between the centres of any two patches, in a straight line.

    Args:
        grid: (h, w).
        patch: Side of a patch, pixels, or (height, width).
    """
    h, w = grid
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], dim=1).double()  # (N, 2)
    apart = (places[:, None] - places) * torch.tensor(patch)
    return apart.norm(dim=2).float()


def attention_distance(recording: Recording, layer: int, patch: Patch) -> Float[Tensor, "B k"]:
    """Mean attention distance of each head of one layer.

    mean over q of sum over k of a[q, k] |x_q - x_k|

    Queries and keys are the patches alone: the class token and registers have no place in the
    image, so attention to them is left out and each row scaled to sum to one again. A patch's
    attention to itself counts, at distance 0. The mean over query positions is a plain one.

    Source: the paper's appendix D.7: Figure 7, right, and Figure 11 show it at 224 pixels,
    averaged over 128 images. Rows are scaled here, which the paper does not speak of.

    Args:
        recording: Of a forward pass that kept the attention of `layer`.
        layer: Counted from 0.
        patch: Side of a patch, pixels, or (height, width); a hybrid's `patch` counts pixels of the
            image too.

    Returns:
        Pixels.

    Raises:
        KeyError: The recording holds no attention of that layer.
    """
    weights = among_patches(recording, layer)
    apart = patch_distances(recording.grid, patch).to(weights.device)
    return (weights * apart).sum(-1).mean(-1)


def uniform_distance(grid: tuple[int, int], patch: Patch) -> float:
    """The mean distance, in pixels, of a head that attends to every patch alike: the yardstick.

    Args:
        grid: (h, w).
        patch: Side of a patch, pixels, or (height, width).
    """
    return float(patch_distances(grid, patch).double().mean())
