from collections.abc import Callable

import pytest
import torch

from vitreous.model.config import Dialect, ViTConfig
from vitreous.model.position import LearnedPosition
from vitreous.model.resample import resample_table


def test_rows_are_added_to_their_tokens(tiny: Callable[..., ViTConfig]) -> None:
    position = LearnedPosition(tiny())
    position.reset_parameters()
    x = torch.randn(2, 16, 24)
    assert torch.equal(position(x, (3, 5)), x + position.table)


@pytest.mark.parametrize("dialect", ["google", "timm"])
def test_another_grid_is_resampled_by_the_configs_rule(
    tiny: Callable[..., ViTConfig], dialect: Dialect
) -> None:
    position = LearnedPosition(tiny(resample=dialect))
    position.reset_parameters()
    added = position(torch.zeros(1, 1 + 16, 24), (2, 8))[0]
    assert torch.equal(added, resample_table(position.table, (3, 5), (2, 8), 1, dialect))


def test_initial_deviation(tiny: Callable[..., ViTConfig]) -> None:
    torch.manual_seed(0)
    position = LearnedPosition(tiny(image_size=160))
    position.reset_parameters()
    assert position.table.shape == (401, 24)
    assert abs(position.table.std().item() - 0.02) < 5e-4
