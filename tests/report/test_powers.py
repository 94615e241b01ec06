"""Labels of logarithmic axes."""

import pytest
from matplotlib.figure import Figure

from vitreous.report.powers import as_power, label_powers


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1, "1"),
        (0.05, "0.05"),
        (20_000, "20,000"),
        (1e6, "10⁶"),
        (2e12, "2 × 10¹²"),
        (5e-4, "5 × 10⁻⁴"),
    ],
)
def test_numbers_are_told_without_formulas(value: float, told: str) -> None:
    assert as_power(value) == told


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(0.6, 8, ["1", "2", "5"]), (0.05, 3e4, ["0.1", "1", "10", "100", "1,000", "10,000"])],
)
def test_a_short_axis_has_more_marks_than_a_long_one(
    low: float, high: float, told: list[str]
) -> None:
    figure = Figure()
    axes = figure.add_subplot()
    axes.plot([low, high], [0, 1])
    axes.set(xscale="log", xlim=(low, high))
    label_powers(axes.xaxis)
    figure.draw_without_rendering()
    shown = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
    assert [label.get_text() for label in shown] == told
    assert not axes.get_xticklabels(minor=True)
