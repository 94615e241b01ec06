"""One-dimensional position embeddings: a table with one row for each token."""

from typing import Any, NamedTuple, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.errors import UserError
from vitreous.model.config import ViTConfig
from vitreous.model.resample import resample_table
from vitreous.model.sine_cosine import sine_cosine_1d

_GRIDS_KEPT = 8


class _State(NamedTuple):
    """What a table was when it was resampled; equal states hold equal numbers."""

    address: int
    version: int
    dtype: torch.dtype
    device: torch.device


class TablePosition(nn.Module):
    """Adds one row of a table to each token, the class token's first.

    Where the config gives the prefix, or the registers in it, no positions, the table has no rows
    for them. An image of another size is met by resampling the grid on the way (section 3.2), by
    the rule that the config names, so that a patch keeps its place on the image. In inference a
    resampled table is kept for the next image of that size, as long as the table stays as it is:
    PyTorch counts most changes in place. Fused optimisers are not counted: what is kept is
    forgotten where gradients are on. Changes through `.data` are not either, and are noticed at the
    next call of `train` or `eval`.
    """

    table: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.grid = config.grid
        self.patch = config.patch_size
        self.prefix = config.prefix
        self.rows = config.prefix_rows
        self.dialect = config.resample
        self.fixed = config.fixed_size
        self._kept: dict[tuple[int, int], Tensor] = {}
        self._kept_of: tuple[_State, Tensor] | None = None

    def train(self, mode: bool = True) -> Self:
        """Training or inference; forgets resampled tables."""
        self._kept, self._kept_of = {}, None
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle holds: resampled tables are made again where they are needed."""
        return {**self.__dict__, "_kept": {}, "_kept_of": None}

    def forward(self, x: Float[Tensor, "B S D"], grid: tuple[int, int]) -> Float[Tensor, "B S D"]:
        """Add the position of each token; `grid` is the (h, w) of these images.

        Raises:
            UserError: The grid is not the config's, where that is fixed.
        """
        table = self._resampled(grid)
        if self.rows < self.prefix:
            zeros = table.new_zeros(self.prefix - self.rows, table.shape[1])
            table = torch.cat([table[: self.rows], zeros, table[self.rows :]])
        return x + table

    def _resampled(self, grid: tuple[int, int]) -> Float[Tensor, "S D"]:
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            self._kept, self._kept_of = {}, None  # a step may follow
        if grid == self.grid:
            return self.table
        if self.fixed:
            seen, made = (
                "x".join(str(n * side) for n, side in zip(sides, self.patch, strict=True))
                for sides in (grid, self.grid)
            )
            raise UserError(
                f"images are {seen} pixels and model.fixed_size allows {made} only: resize them, "
                "or adapt(model, image_size=...)"
            )
        state = self._state()
        if state is None:
            return resample_table(self.table, self.grid, grid, self.rows, self.dialect)
        if self._kept_of is None or self._kept_of[0] != state:
            # The old storage is held, so that no other table can come to lie at its address.
            self._kept, self._kept_of = {}, (state, self.table.detach())
        kept = self._kept  # one dictionary from here on, whatever other threads put in its place
        table = kept.get(grid)
        if table is None:
            table = resample_table(self.table, self.grid, grid, self.rows, self.dialect)
            if len(kept) >= _GRIDS_KEPT:
                kept.clear()
            kept[grid] = table
        return table

    def _state(self) -> _State | None:
        """None where nothing may be kept: under gradients, tracing, or without a count."""
        table = self.table
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return None
        if type(table) not in (nn.Parameter, Tensor) or table.is_inference():
            return None
        return _State(table.data_ptr(), table._version, table.dtype, table.device)


class LearnedPosition(TablePosition):
    """E_pos of equation 1: one learned row for each token."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.table = nn.Parameter(_rows(config))

    def reset_parameters(self) -> None:
        """Normal with deviation 0.02, as the official code."""
        nn.init.normal_(self.table, std=0.02)


class SineCosine1DPosition(TablePosition):
    """The fixed sines and cosines of the original Transformer, over the sequence of tokens.

    The class token is at place 0 and the patches follow row by row; a token that the config gives
    no position is not counted. The table is a buffer: nothing learns it, and it is saved with the
    weights, since on another grid it is resampled as a learned one and not counted anew.

    Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.5; the grid, section 3.2 of the paper.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.register_buffer("table", _rows(config))

    def reset_parameters(self) -> None:
        """Write the sines and cosines."""
        self.table.copy_(sine_cosine_1d(*self.table.shape))


def _rows(config: ViTConfig) -> Float[Tensor, "S D"]:
    """Return a table that holds nothing yet."""
    h, w = config.grid
    return torch.empty(config.prefix_rows + h * w, config.width)
