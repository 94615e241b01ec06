"""Fixed positions: sines and cosines of row and column, or of the place in the sequence."""

import torch
from jaxtyping import Float, Int64
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
        sides = (torch.arange(side, device="cpu") for side in grid)
        halves = []
        for places in torch.meshgrid(*sides, indexing="ij"):
            angles = _angles(places.flatten(), width // 4)
            halves.append(torch.cat([angles.sin(), angles.cos()], dim=1))
        return torch.cat(halves, dim=1).float().to(device)


def sine_cosine_1d(length: int, width: int) -> Float[Tensor, "S D"]:
    """Return the positions of the original Transformer: one row for each place p in a sequence.

    PE(p, 2i) = sin(p / 10000^(2i / D)) and PE(p, 2i + 1) = cos(p / 10000^(2i / D)), i < D / 2.

    Args:
        length: S; places are counted from 0.
        width: D, a multiple of 2.

    Returns:
        float64, on the CPU.

    Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.5. Sines and cosines alternate, as in
    the paper's formula; the authors' tensor2tensor has all sines first.
    """
    angles = _angles(torch.arange(length, device="cpu"), width // 2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


def _angles(places: Int64[Tensor, " n"], rates: int) -> Float[Tensor, "n r"]:
    """Return each place times 10000^(-i / r), for i < r; float64."""
    orders = torch.arange(rates, dtype=torch.float64, device="cpu")
    return places[:, None] * 10_000 ** (-orders / rates)
