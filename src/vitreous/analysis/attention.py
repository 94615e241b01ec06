"""What the head's token attends to, read off a recording."""

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.model.config import Pooling
from vitreous.model.recording import Recording


def head_attention(recording: Recording, layer: int, pooling: Pooling) -> Float[Tensor, "B h w"]:
    """How much of one layer's attention goes to each patch, heads averaged.

    Where the head reads the class token: its attention to the patches. Where it reads the patches
    alone: the mean of their attention. Attention to the class token is left out and the rest
    scaled to sum to one.

    Source: the paper's section 4.5 looks at attention from the output token to the input; this is
    a single layer of it, not the rollout of Figure 6.

    Args:
        recording: Of a forward pass that kept the attention of `layer`.
        layer: Counted from 0.
        pooling: What the head reads.

    Returns:
        Shares over the grid, each image's sum is 1.

    Raises:
        KeyError: The recording holds no attention of that layer.
    """
    weights = recording.attention[layer].float().mean(1)  # (B, S, S)
    return _shares(read_by_head(weights, recording.grid, recording.prefix, pooling))


def attention_by_head(
    recording: Recording, layer: int, pooling: Pooling
) -> Float[Tensor, "B k h w"]:
    """How much of each head's attention, in one layer, goes to each patch.

    As `head_attention`, each head of the attention by itself.

    Args:
        recording: Of a forward pass that kept the attention of `layer`.
        layer: Counted from 0.
        pooling: What the model's head reads.

    Returns:
        Shares over the grid; each head's sum is 1.

    Raises:
        KeyError: The recording holds no attention of that layer.
    """
    weights = recording.attention[layer].float()
    return _shares(read_by_head(weights, recording.grid, recording.prefix, pooling))


def read_by_head(
    flow: Float[Tensor, "*B S S"], grid: tuple[int, int], prefix: int, pooling: Pooling
) -> Float[Tensor, "*B h w"]:
    """The part of a token-to-token map that reaches the model's head, over the grid of patches.

    Args:
        flow: Row q holds how much token q takes from each token: attention, a rollout, relevance.
        grid: (h, w).
        prefix: Tokens before the patches.
        pooling: `mean` and `map`: the mean of the patches' rows; `mean_all`: of these and the class
            token's; else the class token's row.

    Returns:
        The row's values at the patches, in the map's own unit.
    """
    match pooling:
        case "mean" | "map":
            row = flow[..., prefix:, :].mean(-2)
        case "mean_all":
            row = torch.cat([flow[..., :1, :], flow[..., prefix:, :]], -2).mean(-2)
        case _:
            row = flow[..., 0, :]
    return row[..., prefix:].unflatten(-1, grid)


def among_patches(recording: Recording, layer: int) -> Float[Tensor, "B k N N"]:
    """The attention of patches to patches; what goes to class token and registers is left out.

    Args:
        recording: Of a forward pass that kept the attention of `layer`.
        layer: Counted from 0.

    Returns:
        Rows are scaled to sum to one again; a row that gave everything to the prefix is zero.

    Raises:
        KeyError: The recording holds no attention of that layer.
    """
    prefix = recording.prefix
    weights = recording.attention[layer][:, :, prefix:, prefix:].float()
    if not prefix:
        return weights
    return weights / weights.sum(-1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)


def _shares(maps: Float[Tensor, "*B h w"]) -> Float[Tensor, "*B h w"]:
    total = maps.sum((-2, -1), keepdim=True)
    return maps / total.clamp_min(torch.finfo(maps.dtype).tiny)
