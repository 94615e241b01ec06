"""How spread out attention is."""

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.model.recording import Recording


def attention_entropy(recording: Recording, layer: int) -> Float[Tensor, "B k"]:
    """Mean entropy of each head's rows in one layer.

    mean over q of - sum over k of a[q, k] ln a[q, k]

    All tokens count, class token and registers too. 0: every token attends to one; ln S: to all
    alike.

    Args:
        recording: Of a forward pass that kept the attention of `layer`.
        layer: Counted from 0.

    Returns:
        Nats, in [0, ln S].

    Raises:
        KeyError: The recording holds no attention of that layer.
    """
    return torch.special.entr(recording.attention[layer].float()).sum(-1).mean(-1)
