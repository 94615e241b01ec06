"""Where an image counts for a class, found by painting it over: for models of any kind."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.model.probability import probabilities

_BATCH = 16
_MOST_CELLS = 14  # a side


def occlusion_grid(image_size: tuple[int, int]) -> tuple[int, int]:
    """(h, w) of the finest grid, of up to 14 cells a side, that divides an image of (H, W)."""
    height, width = image_size
    return _most_cells(height), _most_cells(width)


@torch.inference_mode()
def occlusion_map(
    classify: Callable[[Tensor], Tensor],
    image: Float[Tensor, "1 C H W"],
    label: int,
    *,
    multi_label: bool = False,
) -> Float[Tensor, "h w"]:
    """How far a class's probability falls when a cell of the image is painted over.

    Cells are those of `occlusion_grid`. They are set to zero, the mean colour of the preprocessing.

    Source: Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", arXiv
    1311.2901, section 4.2, with cells that do not overlap.

    Args:
        classify: The model: images to logits.
        image: Normalised pixels.
        label: The class.
        multi_label: Whether the model gives each class a probability by itself.

    Returns:
        Differences of probability, in [-1, 1]; below zero where the cell spoke against the class.
    """
    H, W = image.shape[2:]
    h, w = occlusion_grid((H, W))
    cells = torch.eye(h * w, dtype=torch.bool, device=image.device).view(-1, 1, h, w)
    masks = cells.repeat_interleave(H // h, 2).repeat_interleave(W // w, 3)
    whole = probabilities(classify(image), multi_label)[0, label]
    painted = [
        probabilities(classify(torch.where(chunk, 0.0, image)), multi_label)[:, label]
        for chunk in masks.split(_BATCH)
    ]
    return (whole - torch.cat(painted)).view(h, w)


def _most_cells(side: int) -> int:
    return max(count for count in range(1, _MOST_CELLS + 1) if side % count == 0)
