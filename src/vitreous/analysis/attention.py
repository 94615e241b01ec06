"""What the head's token attends to, read off a recording."""

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
    prefix = recording.prefix
    rows = (
        weights[:, 0] if pooling not in ("mean", "map") else weights[:, prefix:].mean(1)
    )  # (B, S)
    patches = rows[:, prefix:]
    shares = patches / patches.sum(1, keepdim=True)
    return shares.unflatten(1, recording.grid)
