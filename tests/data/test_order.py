import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitreous.data.order import Order, _shuffle


@given(st.integers(1, 40), st.integers(0, 5), st.integers(0, 1000))
def test_each_epoch_is_a_permutation(total: int, seed: int, epoch: int) -> None:
    order = Order(total, seed)
    epochs, indices = order[np.arange(epoch * total, (epoch + 1) * total)]
    assert (epochs == epoch).all()
    assert sorted(indices) == list(range(total))


def test_epochs_and_seeds_differ() -> None:
    def indices(seed: int, epoch: int) -> list[int]:
        order = Order(50, seed)
        return order[np.arange(epoch * 50, (epoch + 1) * 50)][1].tolist()

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
    assert order[np.array([123_456_789])][0] == 1_234_567
    assert drawn == [1_234_567]


def test_an_epoch_is_drawn_once_although_batches_straddle(monkeypatch: pytest.MonkeyPatch) -> None:
    draw, drawn = Order._draw, []
    monkeypatch.setattr(Order, "_draw", lambda order, e: drawn.append(e) or draw(order, e))
    order = Order(3, 0)
    pairs = [order[np.arange(at, at + 2)][0].tolist() for at in range(0, 8, 2)]
    assert pairs == [[0, 0], [0, 1], [1, 1], [2, 2]]
    assert drawn == [0, 1, 2]


@given(st.integers(2, 300), st.integers(0, 100))
def test_the_computed_order_is_a_permutation_too(total: int, seed: int) -> None:
    keys = np.random.default_rng(seed).integers(1 << 62, size=6)
    assert sorted(_shuffle(np.arange(total), total, keys)) == list(range(total))


def test_three_hundred_million_images_take_no_memory() -> None:
    total = 300_000_000
    tracemalloc.start()
    order = Order(total, 0)
    begin = time.perf_counter()
    _, first = order[np.array([7 * total])]
    assert time.perf_counter() - begin < 0.1, "a position is restored"
    _, indices = order[np.arange(7 * total, 7 * total + 500)]
    assert indices[0] == first[0]
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert len(np.unique(indices)) == 500
    assert order[np.array([7 * total, 8 * total - 1])][0].tolist() == [7, 7]


def test_the_computed_order_is_as_even_as_a_drawn_one() -> None:
    """Neighbours land anywhere: chi-square over 50 bins, and no run of rising indices."""
    total = 3_000_000
    order = Order(total, 1)
    _, indices = order[np.arange(10_000)]
    counts, _ = np.histogram(indices, 50, (0, total))
    assert ((counts - 200) ** 2 / 200).sum() < 100  # 49 expected, 100 once in 40,000
    steps, _ = np.histogram(np.diff(indices) % total, 50, (0, total))
    assert ((steps - 200) ** 2 / 200).sum() < 100
    _, other = order[np.arange(total, total + 10_000)]
    assert abs(np.corrcoef(indices, other)[0, 1]) < 0.05
