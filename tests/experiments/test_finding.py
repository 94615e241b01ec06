import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vitreous.experiments.finding import (
    Finding,
    alike,
    difference,
    higher,
    higher_than_all,
    overall,
)
from vitreous.experiments.results import Cell

HIGH, LOW = Cell((0.80, 0.81, 0.82)), Cell((0.70, 0.71, 0.72))
BETWEEN = Cell((0.78, 0.81, 0.845))


def test_the_interval_is_welchs() -> None:
    gap, low, high = difference(HIGH, LOW)
    assert gap == pytest.approx(0.10)
    # Two deviations of 0.01, three seeds each: four degrees of freedom.
    half = stats.t.ppf(0.975, 4) * 0.01 * (2 / 3) ** 0.5
    assert (low, high) == (pytest.approx(0.1 - half), pytest.approx(0.1 + half))


def test_higher() -> None:
    assert higher("h", HIGH, LOW).verdict == "holds"
    assert higher("h", LOW, HIGH).verdict == "does not hold"
    within = higher("h", BETWEEN, HIGH)
    assert within.verdict == "not shown"
    assert "95 %" in within.why
    assert "+10.00 points" in higher("h", HIGH, LOW).why


def test_one_seed_shows_nothing() -> None:
    found = higher("h", Cell((0.9,)), Cell((0.1,)))
    assert found.verdict == "not shown"
    assert "one seed" in found.why
    assert alike("a", [Cell((0.9,)), Cell((0.9,))], margin=0.1).verdict == "not shown"


def test_the_nearest_of_the_others_decides() -> None:
    assert higher_than_all("h", [HIGH, BETWEEN], LOW).verdict == "holds"
    assert higher_than_all("h", [HIGH, LOW], BETWEEN).verdict == "does not hold"


def test_one_whose_seeds_differ_much_is_not_passed_over() -> None:
    near, loose = Cell((0.610, 0.611, 0.612)), Cell((0.40, 0.62, 0.86))
    none = Cell((0.600, 0.601, 0.602))
    found = higher_than_all("h", [near, loose], none)
    assert (found.verdict, found.why) == ("not shown", higher("h", loose, none).why)
    below = Cell((0.590, 0.591, 0.592))
    assert higher_than_all("h", [near, loose, below], none).verdict == "does not hold"


def test_alike() -> None:
    assert alike("a", [HIGH, BETWEEN], margin=0.02).verdict == "holds"
    assert alike("a", [HIGH, BETWEEN], margin=0.0).verdict == "not shown"
    assert alike("a", [HIGH, BETWEEN, LOW], margin=0.02).verdict == "does not hold"
    same = Cell((0.5, 0.5))
    assert alike("a", [same, same], margin=0.0).verdict == "holds"


def test_loose_means_are_not_shown_to_be_alike() -> None:
    loose, tight = Cell((0.70, 0.80, 0.90)), Cell((0.798, 0.802, 0.81))
    found = alike("a", [loose, tight], margin=0.005)
    assert found.verdict == "not shown"
    assert found.why.endswith("the largest spread over seeds is 10.00 points")
    assert alike("a", [loose, tight], margin=0.06).verdict == "holds"


def test_overall() -> None:
    def of(*verdicts: str) -> str:
        return overall([Finding("c", verdict, "w") for verdict in verdicts])  # type: ignore[arg-type]

    assert of("holds", "holds") == "holds"
    assert of("holds", "not shown") == "not shown"
    assert of("not shown", "does not hold") == "does not hold"


def test_unequal_numbers_and_spreads_as_scipy_has_them() -> None:
    a, b = Cell((0.5, 0.62, 0.58, 0.7)), Cell((0.4, 0.45))
    expected = stats.ttest_ind(a.values, b.values, equal_var=False).confidence_interval(0.95)
    assert difference(a, b)[1:] == pytest.approx((expected.low, expected.high))


VALUES = st.lists(st.integers(0, 1000).map(lambda n: n / 1000), min_size=2, max_size=5).map(tuple)


@given(VALUES, VALUES)
def test_a_claim_and_its_opposite_never_both_hold(a, b) -> None:
    verdicts = {higher("h", Cell(a), Cell(b)).verdict, higher("h", Cell(b), Cell(a)).verdict}
    assert verdicts in ({"holds", "does not hold"}, {"not shown"})
