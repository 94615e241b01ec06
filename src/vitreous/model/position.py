"""Where a token is: the learned one-dimensional position embedding."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.model.config import ViTConfig
from vitreous.model.resample import resample_table


class LearnedPosition(nn.Module):
    """E_pos of equation 1: one learned row per token, the class token's first.

    Where the config gives the prefix, or the registers in it, no positions, the table has no rows
    for them. An image of
    another size is met by resampling the grid on the way (section 3.2), by the rule that the config
    names.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        h, w = config.grid
        self.grid = config.grid
        self.prefix = config.prefix
        self.rows = config.prefix_rows
        self.dialect = config.resample
        self.table = nn.Parameter(torch.empty(self.rows + h * w, config.width))

    def reset_parameters(self) -> None:
        """Normal with deviation 0.02, as the official code."""
        nn.init.normal_(self.table, std=0.02)

    def forward(self, x: Float[Tensor, "B S D"], grid: tuple[int, int]) -> Float[Tensor, "B S D"]:
        """Add the position of each token; `grid` is the (h, w) of these images."""
        table = resample_table(self.table, self.grid, grid, self.rows, self.dialect)
        if self.rows < self.prefix:
            zeros = table.new_zeros(self.prefix - self.rows, table.shape[1])
            table = torch.cat([table[: self.rows], zeros, table[self.rows :]])
        return x + table
