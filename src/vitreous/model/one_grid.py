"""Positions that have a meaning on one grid of patches only."""

from vitreous.errors import UserError
from vitreous.model.config import ModelConfig, ViTConfig


def check_grid(config: ModelConfig, grid: tuple[int, int]) -> None:
    """Refuse images of another grid where positions are of one grid only.

    Raises:
        UserError: Relative positions count patches in raster order.
    """
    if not isinstance(config, ViTConfig):
        return
    if config.position.startswith("relative") and grid != config.grid:
        (h, w), (height, width) = config.grid, grid
        raise UserError(
            f"model.position {config.position} counts patches along the rows of a {h}x{w} grid and "
            f"these images have {height}x{width}: keep the image size, or train with another "
            "model.position"
        )
