"""Confusion, calibration and the classes of several runs."""

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex

from vitreous.report.figures import class_comparison, confusion_matrix, reliability, row_shares
from vitreous.report.style import RIGHT, WRONG
from vitreous.report.svg import figure_svg


def numbers(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_row_shares() -> None:
    counts = np.array([[3, 1], [0, 0]])
    assert row_shares(counts).tolist() == [[0.75, 0.25], [0, 0]]


def test_confusion_matrix_writes_counts_and_colours_hits_and_mistakes() -> None:
    counts = np.array([[9, 1, 0], [0, 0, 0], [1200, 0, 3]])
    figure = confusion_matrix(counts, ["a", "b", "c"])
    assert numbers(figure) == ["9", "1", "1,200", "3"]
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    # Row 0 lies on top, column 0 at the left.
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    filled = [patch for patch in axes.patches if patch.get_facecolor()[3] != 0.4]
    assert [to_hex(patch.get_facecolor()) for patch in filled] == [RIGHT, WRONG, WRONG, RIGHT]
    assert [patch.get_alpha() for patch in filled[:2]] == pytest.approx([0.9**0.5, 0.1**0.5])


@pytest.mark.parametrize(
    ("num_classes", "numbered", "named"),
    [(2, True, True), (20, True, True), (21, False, True), (60, False, True), (61, False, False)],
)
def test_confusion_matrix_grows_with_its_classes(
    num_classes: int, numbered: bool, named: bool
) -> None:
    counts = np.eye(num_classes, dtype=int) * 7
    counts[0, 1] = 2
    names = [f"a rather long name {index}" for index in range(num_classes)]
    figure = confusion_matrix(counts, names)
    assert bool(numbers(figure)) == numbered
    ticks = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert (len(ticks) == num_classes) == named
    width, height = figure.get_size_inches()
    assert 2 < width < 9
    assert 2 < height < 9
    assert figure_svg(figure, "confusion").startswith("<svg")


def test_thousand_classes_keep_their_rare_mistakes() -> None:
    counts = 40 * np.eye(1000, dtype=int)
    counts[13, 977] = 10
    counts[:5, :5] = 0
    image = confusion_matrix(counts, ["name"] * 1000).axes[0].images[0]
    pixels = np.asarray(image.get_array())
    assert pixels.shape == (200, 200, 4)
    assert pixels[13 // 5, 977 // 5, 3] == pytest.approx((10 / 50) ** 0.5)
    hits = pixels[range(200), range(200), 3]
    assert hits[0] == 0
    assert hits[2] == pytest.approx((4 + 0.8**0.5) / 5)
    assert (hits[3:] == 1).all()
    assert image.get_extent() == [-0.5, 999.5, 999.5, -0.5]


def test_the_last_pixel_may_hold_fewer_classes() -> None:
    image = confusion_matrix(np.eye(401, dtype=int), ["name"] * 401).axes[0].images[0]
    assert (np.asarray(image.get_array())[range(134), range(134), 3] == 1).all()


def test_reliability_leaves_empty_bins_empty() -> None:
    bins = {
        "edges": [0, 0.25, 0.5, 0.75, 1],
        "confidence": [0, 0.4, 0, 0.9],
        "accuracy": [0, 0.5, 0, 0.6],
        "count": [0, 10, 0, 30],
    }
    upper, lower = reliability(bins).axes
    assert [bar.get_height() for bar in upper.patches] == [0.5, 0.6]
    assert [bar.get_height() for bar in lower.patches] == [0, 10, 0, 30]
    strokes = upper.collections[0].get_segments()
    assert np.array(strokes)[:, :, 1].tolist() == [[0.5, 0.4], [0.6, 0.9]]


def test_class_comparison_has_a_dot_for_each_run_and_class() -> None:
    rows = [
        {"name": "daisy", "f1": {"a": 0.5, "b": 0.7}, "recall": {"a": 1, "b": 0}},
        {"name": "rose", "f1": {"a": 0.9, "b": 0.2}, "recall": {"a": 0, "b": 1}},
    ]
    axes = class_comparison(rows, ["a", "b"]).axes[0]
    dots = {
        line.get_label(): list(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"
    }
    assert dots == {"a": [0.5, 0.9], "b": [0.7, 0.2]}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["daisy", "rose"]
    assert class_comparison(rows, ["a", "b"], "recall").get_suptitle() == "Recall by class"
