"""How alike the positions are: the cosine map of each grid cell (Figures 7, centre, and 10)."""

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.model.vit import VisionTransformer


@torch.no_grad()
def added_positions(
    model: VisionTransformer, grid: tuple[int, int] | None = None
) -> Float[Tensor, "h w D"]:
    """What the model adds to the patch at each place, whatever its scheme: tokens of zeros, placed.

    Args:
        model: Its position module is asked.
        grid: (h, w) of an image; the config's own where not given.
    """
    grid = grid or model.config.grid
    h, w = grid
    weight = model.patch.weight
    prefix = model.config.prefix
    zeros = torch.zeros(1, prefix + h * w, model.config.width, device=weight.device)
    placed: Tensor = model.position(zeros.to(weight.dtype), grid)
    return placed[0, prefix:].unflatten(0, grid).float()


def position_similarity(positions: Float[Tensor, "h w D"]) -> Float[Tensor, "h w h w"]:
    """The cosine of the angle between the position embeddings of any two patches.

    S[r, c, r', c'] = p[r, c] . p[r', c'] / (|p[r, c]| |p[r', c']|)

    Source: the paper's Figure 7, centre, and Figure 10: one map for each row and column.

    Args:
        positions: One embedding a patch; the class token has no place in the figure.

    Returns:
        In [-1, 1]; 0 for an embedding of length 0.
    """
    h, w, _ = positions.shape
    flat = positions.flatten(0, 1).double()  # (N, D)
    norms = flat.norm(dim=1, keepdim=True)
    unit = torch.where(norms > 0, flat / norms.clamp_min(torch.finfo(flat.dtype).tiny), 0.0)
    return (unit @ unit.T).clamp(-1, 1).unflatten(1, (h, w)).unflatten(0, (h, w))
