"""The interval beside an accuracy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from vitreous.evaluate.interval import wilson_interval


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_newcombe_1998_table_1(successes: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(successes, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 100_000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_equals_scipy(total: int, share: float, confidence: float) -> None:
    successes = round(share * total)
    expected = binomtest(successes, total).proportion_ci(confidence, method="wilson")
    low, high = wilson_interval(successes, total, confidence)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= low <= successes / total <= high <= 1


def test_one_image() -> None:
    low, high = wilson_interval(1, 1)
    assert high == 1.0
    assert low == pytest.approx(0.2065, abs=1e-4)


@pytest.mark.parametrize(("successes", "total"), [(0, 0), (2, 1), (-1, 5)])
def test_refuses_what_is_no_proportion(successes: int, total: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        wilson_interval(successes, total)


def test_refuses_a_confidence_of_one() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        wilson_interval(1, 2, 1.0)
