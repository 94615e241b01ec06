"""The bins of confidence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitreous.evaluate.calibration import calibrate


def test_known_answer() -> None:
    confidence = np.array([0.9, 0.9, 0.6, 0.6])
    correct = np.array([True, True, True, False])
    bins = calibrate(confidence, correct, num_bins=10)
    assert bins.count.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 2, 0]
    # Half the images 0.1 too shy, half 0.1 too bold.
    assert bins.expected_error == pytest.approx(0.1)


def test_borders_belong_to_the_bin_below() -> None:
    bins = calibrate(np.array([0.0, 0.5, 1.0]), np.ones(3, dtype=bool), num_bins=2)
    assert bins.count.tolist() == [2, 1]


def test_perfectly_calibrated() -> None:
    correct = np.arange(100) < 75
    assert calibrate(np.full(100, 0.75), correct).expected_error == pytest.approx(0)


def test_fully_confident_and_always_wrong() -> None:
    assert calibrate(np.ones(7), np.zeros(7, dtype=bool)).expected_error == 1.0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_bins_hold_every_prediction(rows: list[tuple[float, bool]]) -> None:
    confidence = np.array([row[0] for row in rows])
    correct = np.array([row[1] for row in rows])
    bins = calibrate(confidence, correct)
    assert bins.count.sum() == len(rows)
    assert (bins.count * bins.accuracy).sum() == pytest.approx(correct.sum())
    assert (bins.count * bins.confidence).sum() == pytest.approx(confidence.sum())
    overall = abs(correct.mean() - confidence.mean())
    assert overall - 1e-9 <= bins.expected_error <= 1


@pytest.mark.parametrize("confidence", [[], [1.1], [-0.1], [float("nan")]])
def test_refuses_what_is_no_confidence(confidence: list[float]) -> None:
    with pytest.raises(ValueError, match="calibration needs|outside"):
        calibrate(np.array(confidence, dtype=float), np.ones(len(confidence), dtype=bool))
