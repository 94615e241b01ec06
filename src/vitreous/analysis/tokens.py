"""What the tokens are like: their lengths, artifacts among them, how many directions they fill."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vitreous.model.recording import Recording

# In DINOv2 artifacts are about ten times as long as their neighbours and in smaller models less
# (arXiv 2309.16588, Figures 3 and 4): three times is far from either crowd.
_ARTIFACT_FACTOR = 3.0


def patch_tokens(recording: Recording, layer: int) -> Float[Tensor, "B N D"]:
    """One layer's tokens of the patches, without class token and registers.

    Raises:
        KeyError: The recording holds no tokens of that layer.
    """
    return recording.tokens[layer][:, recording.prefix :]


def token_norms(tokens: Float[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
    """Euclidean length of each token."""
    return tokens.float().norm(dim=-1)


def artifact_tokens(
    norms: Float[Tensor, "B N"], factor: float = _ARTIFACT_FACTOR
) -> Bool[Tensor, "B N"]:
    """Patches whose tokens are far longer than those of their image: artifacts, not content.

    Large models take patches of little content as room for notes; their tokens tell of the whole
    image, and not of the place that they stand for.

    Source: Darcet et al. 2023, "Vision Transformers need registers", arXiv 2309.16588, section 2,
    which draws the line at a fixed length for each model; here it is a multiple of the median, so
    that it needs no choice for each.

    Args:
        norms: Lengths of one image's patch tokens a row; without class token and registers.
        factor: How many times the median of the image's patches is too long.
    """
    return norms > factor * norms.median(dim=1, keepdim=True).values


def effective_rank(tokens: Float[Tensor, "B N D"]) -> Float[Tensor, " B"]:
    """How many directions the tokens of one image fill.

    exp(- sum of p ln p),  p the singular values of the (N, D) matrix, scaled to sum to one

    1: all tokens lie on one line; min(N, D): all directions alike. Tokens are not centred.

    Source: Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality",
    EUSIPCO. Their collapse with depth: Dong et al. 2021, arXiv 2103.03404.

    Args:
        tokens: Of the patches, see `patch_tokens`.

    Returns:
        In [1, min(N, D)], without unit; 0 where all tokens are zero.
    """
    _, N, D = tokens.shape
    x = tokens.double()
    gram = x @ x.mT if N <= D else x.mT @ x
    # Singular values by way of the smaller Gram matrix, in half the time; what lies under its
    # rounding is none.
    singular = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt()
    singular = singular * (singular > 1e-6 * singular.amax(1, keepdim=True))
    total = singular.sum(1, keepdim=True)
    shares = singular / total.clamp_min(torch.finfo(singular.dtype).tiny)
    rank = torch.special.entr(shares).sum(1).exp()
    return torch.where(total[:, 0] > 0, rank, 0.0).float()
