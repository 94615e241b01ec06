"""What the numbers are said to mean."""

from typing import Any

import numpy as np
import pytest

from vitreous.evaluate.classification import classification_report
from vitreous.report.reading import (
    ConfusedPair,
    confused_pairs,
    duration,
    percent,
    points,
    read_accuracy,
    read_calibration,
    read_intervals,
    size,
)

NAMES = ["daisy", "rose", "tulip"]


def measured(labels: list[int], predicted: list[int], margin: float = 9.0) -> dict[str, Any]:
    logits = margin * np.eye(3)[predicted]
    return classification_report(logits, np.array(labels), NAMES)


def test_confused_pairs_come_by_frequency() -> None:
    report = measured([0, 0, 0, 0, 1, 1, 2], [1, 1, 0, 2, 0, 1, 2])
    assert confused_pairs(report) == [
        ConfusedPair("daisy", "rose", 2, 0.5),
        ConfusedPair("daisy", "tulip", 1, 0.25),
        ConfusedPair("rose", "daisy", 1, 0.5),
    ]
    assert len(confused_pairs(report, limit=1)) == 1
    assert report["confusion"][0][0] == 1, "the report itself is left alone"


def test_read_accuracy_names_the_best_the_worst_and_the_mistake() -> None:
    report = measured([0, 0, 0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 1, 1, 2, 2])
    assert read_accuracy(report) == (
        "Of 8 images, 5 were named right. It knows “tulip” best (F1 1.00) and “daisy” least "
        "(F1 0.40). Its most frequent mistake is to take “daisy” for “rose” "
        "(3 times, 75.0\u202f% of that class)."
    )


def test_a_report_without_its_confusion_is_read_as_far_as_it_goes() -> None:
    report = measured([0, 0, 0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 1, 1, 2, 2])
    del report["confusion"]
    assert confused_pairs(report) == []
    assert read_accuracy(report).endswith("“daisy” least (F1 0.40).")


def test_read_accuracy_claims_nothing_of_ties() -> None:
    assert read_accuracy(measured([0, 1, 2], [1, 2, 0])) == "Of 3 images, 0 were named right."
    assert read_accuracy(measured([0, 1, 2], [0, 1, 2])) == "All 3 images were named right."
    one_class = read_accuracy(measured([1, 1], [1, 0]))
    assert one_class == "Of 2 images, 1 were named right."


@pytest.mark.parametrize(
    ("margin", "start"),
    [(50.0, "The model is surer"), (0.5, "The model is more modest"), (2.08, "The confidence can")],
)
def test_read_calibration(margin: float, start: str) -> None:
    labels = [0, 1, 2, 0, 1]
    assert read_calibration(measured(labels, [0, 1, 2, 0, 2], margin)).startswith(start)


def test_read_calibration_sees_errors_that_cancel() -> None:
    report = measured([0, 1, 2, 0, 1], [0, 1, 2, 0, 2], 2.08) | {"ece": 0.2}
    assert read_calibration(report).startswith("Right on the whole, uneven")


def interval(low: float, accuracy: float, high: float, **more: Any) -> dict[str, Any]:
    return {"accuracy": accuracy, "accuracy_interval": [low, high], "num_images": 10} | more


def test_read_intervals() -> None:
    apart = {"a": interval(0.6, 0.7, 0.75), "b": interval(0.8, 0.85, 0.9)}
    assert read_intervals(apart).startswith("b leads a by 15.0 points, and their")
    assert read_intervals(apart).endswith("do not overlap: more than chance.")
    close = {"a": interval(0.6, 0.7, 0.82), "b": interval(0.8, 0.85, 0.9)}
    assert read_intervals(close).endswith("may be chance.")
    same = {"a": interval(0.6, 0.7, 0.8), "b": interval(0.6, 0.7, 0.8)}
    assert read_intervals(same) == "a and b are equally accurate."


@pytest.mark.parametrize("other", [{"num_images": 11}, {"data": "other"}, {"part": "test"}])
def test_read_intervals_warns_of_other_images(other: dict[str, Any]) -> None:
    place = {"data": "flowers", "part": "validation"}
    reports = {"a": interval(0.6, 0.7, 0.8, **place), "b": interval(0.6, 0.7, 0.8, **place)}
    assert "same images" not in read_intervals(reports)
    reports["b"] |= other
    assert "not measured on the same images" in read_intervals(reports)


def test_units() -> None:
    assert percent(0.98765) == "98.8\u202f%"
    assert percent(0.5, 0) == "50\u202f%"
    assert points(0.105) == "10.5 points"
    assert size(224) == "224 × 224 pixels"
    assert size([32, 48]) == "32 × 48 pixels"
    spans = [duration(seconds) for seconds in (4.21, 59.6, 873, 7325)]
    assert spans == ["4.2\u202fs", "1 min 0 s", "14 min 33 s", "2 h 2 min"]
