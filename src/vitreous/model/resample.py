"""Position grids of one size to another: each library's own rule, by name.

Five rules are in use and they differ by several per cent; whoever trained the weights decides.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from vitreous.model.config import Dialect


def resample_grid(
    grid: Float[Tensor, "h w D"], size: tuple[int, int], dialect: Dialect
) -> Float[Tensor, "h2 w2 D"]:
    """Resample a position grid.

    Args:
        grid: One embedding per patch.
        size: The new (h, w).
        dialect: `google`: bilinear with corners aligned, which is SciPy's `zoom` of order 1
            (vit_jax and big_vision). `torchvision`: bicubic, corners aligned. `timm`: bicubic,
            antialiased. `huggingface`: bicubic. `dinov2`: bicubic, by a scale of (size + 0.1) /
            old size.

    Returns:
        The new grid, in the dtype of the old one, computed in float32 or finer; the very same
        tensor where the size is equal.
    """
    if tuple(grid.shape[:2]) == tuple(size):
        return grid
    x = grid.permute(2, 0, 1)[None]  # (1, D, h, w)
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    match dialect:
        case "google":
            x = F.interpolate(x, size, mode="bilinear", align_corners=True)
        case "torchvision":
            x = F.interpolate(x, size, mode="bicubic", align_corners=True)
        case "timm":
            x = F.interpolate(x, size, mode="bicubic", align_corners=False, antialias=True)
        case "huggingface":
            x = F.interpolate(x, size, mode="bicubic", align_corners=False)
        case "dinov2":
            scale = tuple((new + 0.1) / old for new, old in zip(size, x.shape[2:], strict=True))
            x = F.interpolate(x, scale_factor=scale, mode="bicubic")
    return x[0].permute(1, 2, 0).to(grid.dtype)


def resample_table(
    table: Float[Tensor, "S D"],
    old: tuple[int, int],
    new: tuple[int, int],
    prefix: int,
    dialect: Dialect,
) -> Float[Tensor, "S2 D"]:
    """Resample a position table whose first `prefix` rows belong to no patch and stay as they are.

    Args:
        table: Prefix rows, then the old grid row by row.
        old: (h, w) of the table.
        new: (h, w) wanted.
        prefix: Rows before the grid.
        dialect: See `resample_grid`.
    """
    if tuple(old) == tuple(new):
        return table
    grid = table[prefix:].unflatten(0, old)  # (h, w, D)
    return torch.cat([table[:prefix], resample_grid(grid, new, dialect).flatten(0, 1)])
