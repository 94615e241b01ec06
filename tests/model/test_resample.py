import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import zoom
from torch.nn import functional as F

from vitreous.model.config import Dialect
from vitreous.model.resample import resample_grid, resample_table

SIDES = st.integers(1, 9)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@given(SIDES, SIDES, SIDES, SIDES)
def test_google_is_scipys_zoom_of_order_1(h: int, w: int, h2: int, w2: int) -> None:
    grid = drawn(h, w, 5)
    ours = resample_grid(grid, (h2, w2), "google")
    theirs = zoom(grid.numpy(), (h2 / h, w2 / w, 1), order=1)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("size", [(6, 6), (3, 9), (2, 2)])
@pytest.mark.parametrize(
    ("dialect", "options"),
    [
        ("torchvision", {"mode": "bicubic", "align_corners": True}),
        ("timm", {"mode": "bicubic", "align_corners": False, "antialias": True}),
        ("huggingface", {"mode": "bicubic", "align_corners": False}),
    ],
)
def test_a_dialect_is_its_librarys_call(
    dialect: Dialect, options: dict[str, object], size: tuple[int, int]
) -> None:
    grid = drawn(4, 5, 8)
    theirs = F.interpolate(grid.permute(2, 0, 1)[None], size, **options)[0].permute(1, 2, 0)
    torch.testing.assert_close(resample_grid(grid, size, dialect), theirs)


def test_dinov2_scales_by_a_tenth_of_a_patch_more() -> None:
    grid = drawn(4, 5, 8)
    x = grid.permute(2, 0, 1)[None]
    theirs = F.interpolate(x, scale_factor=(6.1 / 4, 3.1 / 5), mode="bicubic")[0].permute(1, 2, 0)
    ours = resample_grid(grid, (6, 3), "dinov2")
    assert ours.shape == (6, 3, 8)
    torch.testing.assert_close(ours, theirs)


def test_float64_keeps_its_digits() -> None:
    grid = drawn(4, 5, 8).double()
    halves = resample_grid(torch.stack([grid, grid / 3], 2).flatten(2), (6, 3), "google")
    one, third = halves.unflatten(2, (2, 8)).unbind(2)
    torch.testing.assert_close(one, third * 3, rtol=1e-14, atol=1e-14)


def test_the_dialects_differ_by_more_than_rounding() -> None:
    dialects: tuple[Dialect, ...] = ("google", "torchvision", "timm", "huggingface", "dinov2")
    grids = [resample_grid(drawn(6, 6, 4), (4, 4), dialect) for dialect in dialects]
    for place, one in enumerate(grids):
        assert all((one - other).abs().max() > 0.01 for other in grids[:place])


def test_an_equal_size_is_the_very_same_tensor() -> None:
    grid, table = drawn(2, 3, 4), drawn(7, 4)
    assert resample_grid(grid, (2, 3), "dinov2") is grid
    assert resample_table(table, (2, 3), (2, 3), 1, "google") is table


def test_a_grid_of_as_many_patches_is_still_resampled() -> None:
    table = drawn(12, 4)
    assert not torch.equal(resample_table(table, (3, 4), (4, 3), 0, "google"), table)


@pytest.mark.parametrize("prefix", [0, 1, 5])
def test_prefix_rows_stay_and_the_grid_lies_row_by_row(prefix: int) -> None:
    table = drawn(prefix + 6, 4)
    out = resample_table(table, (2, 3), (4, 5), prefix, "google")
    assert out.shape == (prefix + 20, 4)
    assert torch.equal(out[:prefix], table[:prefix])
    grid = resample_grid(table[prefix:].reshape(2, 3, 4), (4, 5), "google")
    assert torch.equal(out[prefix:].reshape(4, 5, 4), grid)


def test_the_dtype_stays() -> None:
    assert resample_grid(drawn(2, 2, 4).bfloat16(), (3, 3), "timm").dtype == torch.bfloat16
