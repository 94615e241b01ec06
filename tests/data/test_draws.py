import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vitreous.data.draws import _GOLDEN, Draws, _mixed

INDICES = np.arange(20_000)


def test_the_stream_is_splitmix64() -> None:
    """The first numbers of seed 1234567, as its authors' code gives them."""
    states = np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * _GOLDEN
    assert _mixed(states).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=20), st.data())
def test_a_stream_knows_nothing_of_the_samples_beside_it(
    keys: list[int], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(keys)))
    whole = Draws(7, np.array(keys))
    pieces = [Draws(7, np.array(piece, np.int64)) for piece in (keys[:cut], keys[cut:])]
    for count in (1, 3):
        parted = np.concatenate([piece.random(count) for piece in pieces if len(piece)])
        assert np.array_equal(whole.random(count), parted)


def test_how_many_are_asked_for_at_once_changes_nothing() -> None:
    one, other = Draws(0, INDICES[:5]), Draws(0, INDICES[:5])
    together = np.concatenate([one.random(2), one.random(3)], axis=1)
    assert np.array_equal(together, other.random(5))


@pytest.mark.parametrize(
    "draws",
    [
        Draws(0, np.zeros_like(INDICES), INDICES),
        Draws(0, INDICES, np.zeros_like(INDICES)),
        Draws(1, INDICES << 32, INDICES),
    ],
    ids=["indices", "epochs", "high bits"],
)
def test_numbers_are_even_and_independent(draws: Draws) -> None:
    """Over samples, from one sample to the next, and within a sample's stream."""
    values = draws.random(4)
    assert values.min() >= 0
    assert values.max() < 1
    for column in values.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-4
        assert abs(np.corrcoef(column[1:], column[:-1])[0, 1]) < 0.03
    assert np.abs(np.corrcoef(values.T) - np.eye(4)).max() < 0.03
    assert len(np.unique(values)) == values.size


def test_each_part_of_the_key_counts_and_so_does_their_order() -> None:
    five = INDICES[:5]
    keys = [(0, five, five * 0), (1, five, five * 0), (0, five * 0, five), (0, five, five * 0 + 1)]
    assert len({tuple(Draws(*key).random(1)[:, 0].tolist()) for key in keys}) == len(keys)


def test_ranges() -> None:
    draws = Draws(0, INDICES)
    values = draws.uniform(-3, 5, 1)
    assert (values.min(), values.max()) == (pytest.approx(-3, abs=0.01), pytest.approx(5, abs=0.01))
    counts = np.bincount(draws.integers(7, 1)[:, 0])
    assert len(counts) == 7
    assert stats.chisquare(counts).pvalue > 1e-4
