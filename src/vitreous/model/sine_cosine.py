"""Fixed positions: sines and cosines of row and column."""

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.kept import keep


@keep(16)
def sine_cosine(grid: tuple[int, int], width: int, device: torch.device) -> Float[Tensor, "N D"]:
    """One row a patch, row by row: a half of the width for its row, a half for its column.

    Each half: sin(p * w_i), then cos(p * w_i), with w_i = 10000^(-i / (D / 4)), i < D / 4.

    Args:
        grid: (h, w) of the patches.
        width: D, a multiple of 4.
        device: Of the result, float32.

    Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.5, in two dimensions as in Chen, Xie
    and He 2021, arXiv 2104.02057. The official MAE has the column's half first.
    """
    with torch.inference_mode(False):
        orders = torch.arange(width // 4, dtype=torch.float64, device="cpu")
        rates = 10_000 ** (-orders / (width // 4))
        sides = (torch.arange(side, device="cpu") for side in grid)
        halves = []
        for places in torch.meshgrid(*sides, indexing="ij"):
            angles = places.reshape(-1, 1) * rates  # (N, D/4)
            halves.append(torch.cat([angles.sin(), angles.cos()], dim=1))
        return torch.cat(halves, dim=1).float().to(device)
