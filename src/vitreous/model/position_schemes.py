"""The ways of telling a token where it is, by name (appendix D.4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitreous.errors import UserError
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.model.one_grid import check_grid
from vitreous.model.position import LearnedPosition, SineCosine1DPosition, TablePosition
from vitreous.model.resample import resample_table
from vitreous.model.sine_cosine import sine_cosine


class NoPosition(nn.Module):
    """Nothing is added: the patches are a bag."""

    def forward(self, x: Float[Tensor, "B S D"], grid: tuple[int, int]) -> Float[Tensor, "B S D"]:
        """The tokens as they are."""
        return x


class SineCosinePosition(nn.Module):
    """Fixed sines and cosines of row and column, on any grid; nothing for the prefix."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.prefix = config.prefix

    def forward(self, x: Float[Tensor, "B S D"], grid: tuple[int, int]) -> Float[Tensor, "B S D"]:
        """Add the place of each patch of an (h, w) grid."""
        table = sine_cosine(grid, x.shape[2], x.device)  # float32 in a bfloat16 model too
        return x + F.pad(table, (0, 0, self.prefix, 0)).to(x.dtype)


class LearnedAxesPosition(nn.Module):
    """The paper's 2-D embedding: half of the width says the column (X), half the row (Y).

    The paper does not say what the class token gets; here it has a whole embedding of its own, as
    the registers have where the config gives them positions. On another grid each axis is resampled
    by itself, linearly with its ends aligned.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        h, w = config.grid
        self.prefix, self.fixed, self.grid = config.prefix, config.fixed_size, config.grid
        self.columns = nn.Parameter(torch.empty(w, config.width // 2))
        self.rows = nn.Parameter(torch.empty(h, config.width // 2))
        self.first = nn.Parameter(torch.empty(config.prefix_rows, config.width))

    def reset_parameters(self) -> None:
        """Normal with deviation 0.02, as the 1-D table."""
        for table in (self.columns, self.rows, self.first):
            nn.init.normal_(table, std=0.02)

    def forward(self, x: Float[Tensor, "B S D"], grid: tuple[int, int]) -> Float[Tensor, "B S D"]:
        """Add the position of each token.

        Raises:
            UserError: The grid is not the config's, where that is fixed.
        """
        if self.fixed and grid != self.grid:
            raise UserError("model.fixed_size allows images of one size only: resize them")
        h, w = grid
        rows, columns = (_stretch(t, n) for t, n in ((self.rows, h), (self.columns, w)))
        halves = columns[None].expand(h, -1, -1), rows[:, None].expand(-1, w, -1)
        patches = torch.cat(halves, dim=2).flatten(0, 1)  # (N, D)
        others = patches.new_zeros(self.prefix - len(self.first), patches.shape[1])
        return x + torch.cat([self.first, others, patches])


def _stretch(table: Float[Tensor, "n D"], length: int) -> Float[Tensor, "m D"]:
    if len(table) == length:
        return table
    x = table.mT[None]  # (1, D, n)
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    return F.interpolate(x, length, mode="linear", align_corners=True)[0].mT.to(table.dtype)


Position = NoPosition | TablePosition | LearnedAxesPosition | SineCosinePosition


def build_position(config: ViTConfig) -> Position:
    """What is added to the tokens; a relative scheme adds nothing, and lives in the attention."""
    match config.position:
        case "learned":
            return LearnedPosition(config)
        case "learned_2d":
            return LearnedAxesPosition(config)
        case "sine_cosine":
            return SineCosinePosition(config)
        case "sine_cosine_1d":
            return SineCosine1DPosition(config)
        case "none" | "relative" | "relative_values":
            return NoPosition()


def build_later_positions(config: ViTConfig) -> nn.ModuleList:
    """What is added again to the input of each block after the first, where blocks have their own.

    Shared ones are the first block's, and are not repeated here.
    """
    later = config.depth - 1 if config.position_at == "layers" else 0
    return nn.ModuleList(build_position(config) for _ in range(later))


def resample_positions(
    tensors: dict[str, Tensor], old: ViTConfig, new: ModelConfig
) -> dict[str, Tensor]:
    """A state dict's position tables, made for the grid of another config.

    Raises:
        UserError: Offsets between patches in a row mean other places on another grid.
    """
    assert isinstance(new, ViTConfig)
    if old.grid == new.grid:
        return {}
    made = {}
    for name, tensor in tensors.items():
        module, _, leaf = name.rpartition(".")
        if module != "position" and not module.startswith("later_positions."):
            continue
        if leaf == "table":
            rows = old.prefix_rows
            made[name] = resample_table(tensor, old.grid, new.grid, rows, new.resample)
        elif leaf in ("rows", "columns"):
            made[name] = _stretch(tensor, new.grid[leaf == "columns"])
    check_grid(old, new.grid)
    return made
