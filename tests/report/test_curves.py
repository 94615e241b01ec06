"""The curves of training."""

import math
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitreous.report.curves import compare_curves, curve, run_styles, smooth, training_curves
from vitreous.report.svg import figure_svg

History = list[dict[str, Any]]


def labels(figure: Any) -> list[str]:
    return [line.get_label() for line in figure.axes[0].lines if line.get_label()[0] != "_"]


def test_curve_takes_only_finite_numbers() -> None:
    history: History = [
        {"epoch": 0.5, "loss": 2.0},
        {"epoch": 1.0, "validation_loss": 1.5},
        {"epoch": 1.5, "loss": math.nan},
        {"epoch": 2.0, "loss": None},
        {"epoch": 2.5, "loss": 1},
    ]
    epochs, values = curve(history, "loss")
    assert (epochs.tolist(), values.tolist()) == ([0.5, 2.5], [2.0, 1.0])
    assert curve([], "loss")[0].shape == (0,)


def test_curve_averages_what_is_too_fine_to_see() -> None:
    history: History = [{"epoch": float(step), "loss": float(step % 2)} for step in range(5001)]
    epochs, values = curve(history, "loss")
    assert len(values) == 1667
    assert epochs[:2].tolist() == [1, 4]
    assert values[:2] == pytest.approx([1 / 3, 2 / 3])
    assert epochs[-1] == 4999


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=200))
def test_smoothing_stays_within_its_values(values: list[float]) -> None:
    smoothed = smooth(np.array(values))
    assert smoothed.shape == (len(values),)
    assert smoothed.min() >= min(values) - 1e-9
    assert smoothed.max() <= max(values) + 1e-9


def test_smoothing_keeps_level_and_slope_and_takes_the_noise() -> None:
    assert smooth(np.full(100, 3.0)) == pytest.approx(3.0)
    slope = np.linspace(0, 1, 500)
    assert smooth(slope)[50:-50] == pytest.approx(slope[50:-50])
    noise = np.random.default_rng(0).normal(size=500)
    assert smooth(noise).std() < 0.3
    few = np.array([1.0, 5.0, 2.0])
    assert smooth(few).tolist() == few.tolist()


def test_training_curves(history: History) -> None:
    figures = training_curves(history)
    assert list(figures) == ["accuracy", "loss", "learning rate", "speed"]
    for name in ("accuracy", "loss"):
        assert labels(figures[name]) == ["training batches", "validation"]
    # Raw noise, its mean, validation, and a dot at the best epoch.
    raw, mean, validation, best = figures["loss"].axes[0].lines
    assert len(raw.get_xdata()) == len(mean.get_xdata()) == 120
    assert len(validation.get_xdata()) == 12
    assert best.get_ydata()[0] == min(validation.get_ydata())
    assert raw.get_alpha() < 0.5


def test_noise_does_not_set_the_frame() -> None:
    history = [{"epoch": step / 10, "loss": 1.0} for step in range(100)]
    history[50]["loss"] = 1000.0
    assert training_curves(history)["loss"].axes[0].get_ylim()[1] < 500


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], []),
        ([{"step": 1, "epoch": 1.0}], []),
        ([{"epoch": 1.0, "loss": math.nan}], []),
        ([{"epoch": 1.0, "validation_accuracy": 1.0}], ["accuracy"]),
        ([{"epoch": 1.0, "loss": 0.0, "learning_rate": 0.0}], ["loss", "learning rate"]),
    ],
)
def test_draws_what_is_known(lines: History, expected: list[str]) -> None:
    figures = training_curves(lines)
    assert list(figures) == expected
    for name, figure in figures.items():
        assert figure_svg(figure, name).startswith("<svg")


def test_compare_curves_keep_a_colour_for_each_run(history: History) -> None:
    short = [line for line in history if line["epoch"] <= 3]
    figures = compare_curves({"first": history, "unmeasured": [], "third": short})
    assert list(figures) == [
        f"{part} {measure}"
        for measure in ("accuracy", "loss")
        for part in ("validation", "training")
    ]
    styles = [style["color"] for style in islice(run_styles(), 3)]
    for name, figure in figures.items():
        assert labels(figure) == ["first", "third"]
        colours = [line.get_color() for line in figure.axes[0].lines]
        dots = 1 if name.startswith("training") else 2  # no best epoch of what is trained on
        assert colours == [styles[0]] * dots + [styles[2]] * dots
    assert list(compare_curves({"one": [], "two": [{"epoch": 1.0, "loss": 1.0}]})) == [
        "training loss"
    ]
    assert compare_curves({"one": [], "two": [{"epoch": 1.0}]}) == {}


def test_many_runs_never_look_the_same() -> None:
    styles = list(islice(run_styles(), 28))
    assert len({(style["color"], style["linestyle"]) for style in styles}) == 28


def test_the_colours_of_patches_are_no_accuracy() -> None:
    history: History = [
        {"epoch": 1.0, "validation_loss": 1.5, "validation_colour_accuracy": 0.41},
        {"epoch": 2.0, "validation_loss": 1.4, "validation_colour_accuracy": 0.42},
    ]
    figures = training_curves(history)
    assert list(figures) == ["accuracy of patch colours", "loss"]
    assert figures["accuracy of patch colours"].get_suptitle() == "Accuracy of patch colours"
