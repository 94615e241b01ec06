import copy
import math
from collections.abc import Callable
from io import BytesIO

import pytest
import torch

import vitreous.model.position
from vitreous.errors import UserError
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


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The grids that were resampled to."""
    grids = []

    def counting(*arguments: object) -> torch.Tensor:
        grids.append(arguments[2])
        return resample_table(*arguments)

    monkeypatch.setattr(vitreous.model.position, "resample_table", counting)
    return grids


Config = Callable[..., ViTConfig]


@pytest.fixture
def position(tiny: Config) -> LearnedPosition:
    position = LearnedPosition(tiny()).eval()
    position.reset_parameters()
    return position


def added(position: LearnedPosition, grid: tuple[int, int]) -> torch.Tensor:
    rows = 1 + grid[0] * grid[1]
    with torch.no_grad():
        return position(torch.zeros(1, rows, 24), grid)[0]


def fresh(position: LearnedPosition, grid: tuple[int, int]) -> torch.Tensor:
    return resample_table(position.table.detach(), (3, 5), grid, 1, "google")


def test_in_inference_each_grid_is_resampled_once(
    position: LearnedPosition, counted: list[tuple[int, int]]
) -> None:
    for grid in ((2, 8), (4, 4), (2, 8), (4, 4)):
        assert torch.equal(added(position, grid), fresh(position, grid))
    with torch.inference_mode():
        position(torch.zeros(1, 17, 24), (2, 8))
    assert counted == [(2, 8), (4, 4)]
    for side in range(6, 20):  # many sizes do not fill the memory
        added(position, (side, 2))
    assert len(position._kept) <= 8


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.table.mul_(2),
        lambda p: p.load_state_dict({"table": torch.ones_like(p.table)}),
        lambda p: p.load_state_dict({"table": torch.ones_like(p.table)}, assign=True),
        lambda p: p.double(),
        lambda p: setattr(p.table, "data", torch.ones_like(p.table)),
        lambda p: (p.table.data.fill_(3), p.eval()),
        lambda p: torch.optim.SGD([p.table], lr=1.0).step(),
    ],
    ids=["in place", "load", "assign", "dtype", "swap", "data and eval", "optimizer"],
)
def test_a_changed_table_is_resampled_again(
    position: LearnedPosition, change: Callable[[LearnedPosition], object]
) -> None:
    position.table.grad = torch.ones_like(position.table)
    before = added(position, (2, 8))
    with torch.no_grad():
        change(position)
    after = added(position, (2, 8))
    assert before.dtype != after.dtype or not torch.equal(before, after)
    assert torch.equal(after, fresh(position, (2, 8)))


@pytest.mark.parametrize("grid", [(2, 8), (3, 5)])
def test_a_fused_step_which_pytorch_does_not_count(
    position: LearnedPosition, grid: tuple[int, int]
) -> None:
    added(position, (2, 8))
    optimizer = torch.optim.SGD([position.table], lr=1.0, fused=True)
    position(torch.zeros(1, 1 + math.prod(grid), 24), grid).sum().backward()
    optimizer.step()
    assert torch.equal(added(position, (2, 8)), fresh(position, (2, 8)))


def test_copies_and_pickles_hold_no_resampled_tables(position: LearnedPosition) -> None:
    before, after = BytesIO(), BytesIO()
    torch.save(position, before)
    expected = added(position, (20, 20))
    torch.save(position, after)
    assert len(after.getvalue()) == len(before.getvalue())
    twin = copy.deepcopy(position)
    assert position._kept
    assert not twin._kept
    assert torch.equal(added(twin, (20, 20)), expected)


def test_under_gradients_nothing_is_kept(
    position: LearnedPosition, counted: list[tuple[int, int]]
) -> None:
    added(position, (2, 8))
    for _ in range(2):
        position.table.grad = None
        position(torch.zeros(1, 17, 24), (2, 8)).sum().backward()
        assert position.table.grad is not None
    assert counted == [(2, 8)] * 3


def test_a_table_made_in_inference_mode(tiny: Config) -> None:
    with torch.inference_mode():
        position = LearnedPosition(tiny())
        position.reset_parameters()
        position(torch.zeros(1, 17, 24), (2, 8))
    assert not position._kept


def test_a_fixed_size_refuses_others(tiny: Config) -> None:
    position = LearnedPosition(tiny(fixed_size=True))
    position.reset_parameters()
    assert position(torch.zeros(1, 16, 24), (3, 5)).shape == (1, 16, 24)
    with pytest.raises(UserError, match=r"are 16x64 pixels .* allows 24x40 only: .*adapt\("):
        position(torch.zeros(1, 17, 24), (2, 8))


def test_while_compiling_nothing_is_kept(
    position: LearnedPosition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert torch.equal(added(position, (2, 8)), fresh(position, (2, 8)))
    assert not position._kept
