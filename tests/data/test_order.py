import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitreous.data.order import Order


@given(st.integers(1, 40), st.integers(0, 5), st.integers(0, 1000))
def test_each_epoch_is_a_permutation(total: int, seed: int, epoch: int) -> None:
    order = Order(total, seed)
    seen = [order[position] for position in range(epoch * total, (epoch + 1) * total)]
    assert {number for number, _ in seen} == {epoch}
    assert sorted(index for _, index in seen) == list(range(total))


def test_epochs_and_seeds_differ() -> None:
    def indices(seed: int, epoch: int) -> list[int]:
        order = Order(50, seed)
        return [order[epoch * 50 + place][1] for place in range(50)]

    assert indices(0, 0) == indices(0, 0)
    assert indices(0, 0) != indices(0, 1)
    assert indices(0, 0) != indices(1, 0)
    assert indices(0, 1) != indices(1, 0)
    assert indices(0, 0) != list(range(50))


def test_a_restart_far_ahead_draws_one_permutation(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    draw = Order._draw

    def counting(order: Order, epoch: int) -> np.ndarray:
        drawn.append(epoch)
        return draw(order, epoch)

    monkeypatch.setattr(Order, "_draw", counting)
    order = Order(100, 0)
    assert order[123_456_789][0] == 1_234_567
    assert drawn == [1_234_567]


def test_an_epoch_is_drawn_once_although_batches_straddle(monkeypatch: pytest.MonkeyPatch) -> None:
    draw, drawn = Order._draw, []
    monkeypatch.setattr(Order, "_draw", lambda order, e: drawn.append(e) or draw(order, e))
    order = Order(3, 0)
    assert [order[position][0] for position in range(8)] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert drawn == [0, 1, 2]
