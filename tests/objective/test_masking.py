"""Counts of what is hidden, over many images."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vitreous.data.draws import Draws
from vitreous.objective.masking import corrupt, count_hidden, fill, hide, image_draws, pick

B, N = 400, 196


def draws(seed: int = 0, images: int = B) -> Draws:
    return image_draws(np.random.default_rng(seed), torch.arange(images))


@pytest.mark.parametrize(("share", "count"), [(0.5, 98), (0.75, 147), (0.0001, 1), (0.9999, 195)])
def test_exactly_the_share_is_hidden_of_each_image(share: float, count: int) -> None:
    hidden = hide(draws(), N, share)
    assert hidden.shape == (B, count)
    assert (hidden.diff(dim=1) > 0).all()  # ascending, so each place once
    assert 0 <= hidden.min()
    assert hidden.max() < N


def test_every_place_is_hidden_as_often_as_any_other() -> None:
    counts = hide(draws(), N, 0.5).flatten().bincount(minlength=N) / B
    assert (counts - 0.5).abs().max() < 5 * (0.25 / B) ** 0.5


def test_of_the_hidden_80_percent_are_masked_10_swapped_10_kept() -> None:
    hidden = hide(draws(), N, 0.5)
    source = corrupt(draws(), hidden, N, 0.8, 0.1)
    there = source.gather(1, hidden)
    shares = [(there == N), (there != N) & (there != hidden), there == hidden]
    spread = 5 * (0.16 / hidden.numel()) ** 0.5
    for kind, share in zip(shares, (0.8, 0.1, 0.1), strict=True):
        assert abs(kind.float().mean().item() - share) < spread
    untouched = torch.ones(B, N, dtype=torch.bool).scatter(1, hidden, False)
    assert torch.equal(source[untouched], torch.arange(N).expand(B, N)[untouched])


@given(st.integers(2, 40), st.floats(0.01, 0.99))
def test_something_is_hidden_and_something_is_seen(patches: int, share: float) -> None:
    assert 1 <= count_hidden(patches, share) < patches
    hidden = hide(draws(images=2), patches, share)
    source = corrupt(draws(images=2), hidden, patches, 0.0, 1.0)
    assert (source.gather(1, hidden) != hidden).all()  # never itself
    assert source.max() < patches


def test_an_image_is_hidden_alike_in_any_row_and_anew_in_each_step() -> None:
    def hidden(seed: int, index: list[int]) -> torch.Tensor:
        return hide(image_draws(np.random.default_rng(seed), torch.tensor(index)), N, 0.5)

    whole = hidden(0, [3, 5, 7])
    assert torch.equal(whole[1:], hidden(0, [5, 7]))
    assert not torch.equal(whole[0], whole[1])
    assert not torch.equal(whole, hidden(1, [3, 5, 7]))


def test_rows_go_where_they_are_sent() -> None:
    x = torch.arange(12.0).view(2, 3, 2)
    blank = torch.tensor([-1.0, -2.0])
    filled = fill(x, blank, torch.tensor([[3, 1, 0], [2, 3, 2]]))
    assert filled[0].tolist() == [[-1, -2], [2, 3], [0, 1]]
    assert filled[1].tolist() == [[10, 11], [-1, -2], [10, 11]]
    assert pick(x, torch.tensor([[2], [0]]))[:, 0].tolist() == [[4, 5], [6, 7]]
