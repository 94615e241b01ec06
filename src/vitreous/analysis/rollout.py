"""Attention rollout: where what a token holds came from, through all layers (Figures 6 and 14)."""

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.model.recording import Recording


def with_residual(mixing: Float[Tensor, "B S S"]) -> Float[Tensor, "B S S"]:
    """Half of what a token mixes in and half of itself, each row scaled to sum to one.

    Args:
        mixing: Row q says how much token q takes from each; not negative.
    """
    identity = torch.eye(mixing.shape[-1], dtype=mixing.dtype, device=mixing.device)
    mixed = mixing + identity
    return mixed / mixed.sum(-1, keepdim=True)


def follow(
    rolled: Float[Tensor, "B S S"] | None, attention: Float[Tensor, "B k S S"]
) -> Float[Tensor, "B S S"]:
    """One layer further: A_l R_{l-1}; for layers that come one by one.

    Args:
        rolled: Of the layers before; None before the first.
        attention: Of this layer.
    """
    step = with_residual(attention.float().mean(1))
    return step if rolled is None else step @ rolled


def rollout(recording: Recording) -> Float[Tensor, "B S S"]:
    """Attention rollout over all layers.

    A_l = rows of (mean over heads of attention + I) scaled to one;  R = A_L A_{L-1} ... A_1

    Source: Abnar and Zuidema 2020, "Quantifying attention flow in transformers", arXiv 2005.00928;
    the paper's appendix D.8, Figures 6 and 14.

    Args:
        recording: Of a forward pass that kept the attention of all layers.

    Returns:
        Row q is the share of each input token in what token q holds at the end; rows sum to one.
        `analysis.attention.read_by_head` gives the map that the model's head sees.

    Raises:
        ValueError: A layer's attention is missing.
    """
    layers = sorted(recording.attention)
    if not layers or layers != list(range(layers[-1] + 1)):
        raise ValueError(f"rollout needs the attention of all layers, and here are {layers}")
    rolled = None
    for layer in layers:
        rolled = follow(rolled, recording.attention[layer])
    assert rolled is not None
    return rolled
