"""The numbers of a classifier."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from vitreous.evaluate import classification
from vitreous.evaluate.classification import (
    classification_report,
    most_confident_mistakes,
    read_logits,
)


def names(count: int) -> list[str]:
    return [f"class {index}" for index in range(count)]


def sure(predicted: list[int], num_classes: int, margin: float = 50.0) -> np.ndarray:
    return margin * np.eye(num_classes)[predicted]


def test_known_answer() -> None:
    report = classification_report(
        sure([0, 0, 1, 1], 3), np.array([0, 1, 1, 1]), ["cat", "dog", "owl"], skipped=["a.jpg"]
    )
    assert report["accuracy"] == 0.75
    assert report["accuracy_interval"] == pytest.approx([0.3006, 0.9544], abs=1e-4)
    assert report["confusion"] == [[1, 0, 0], [1, 2, 0], [0, 0, 0]]
    cat, dog, owl = report["classes"]
    assert cat == {
        "name": "cat",
        "precision": 0.5,
        "recall": 1.0,
        "f1": pytest.approx(2 / 3),
        "support": 1,
    }
    assert dog == {
        "name": "dog",
        "precision": 1.0,
        "recall": pytest.approx(2 / 3),
        "f1": 0.8,
        "support": 3,
    }
    assert owl == {"name": "owl", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert report["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)  # the owl occurs nowhere
    assert report["loss"] == pytest.approx(50 / 4)
    assert report["ece"] == pytest.approx(0.25)
    assert (report["num_images"], report["num_skipped"], report["skipped"]) == (4, 1, ["a.jpg"])


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 9), st.integers(1, 50), st.integers(0, 2**32 - 1), st.booleans())
def test_equals_scikit_learn(num_classes: int, num_images: int, seed: int, ties: bool) -> None:
    random = np.random.default_rng(seed)
    logits = 3 * random.normal(size=(num_images, num_classes))
    if ties:
        logits = np.round(logits / 3)
    labels = random.integers(num_classes, size=num_images)
    every_class = list(range(num_classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    predicted = logits.argmax(axis=1)
    report = classification_report(logits, labels, names(num_classes))
    assert report["accuracy"] == metrics.accuracy_score(labels, predicted)
    assert report["loss"] == pytest.approx(
        metrics.log_loss(labels, probabilities, labels=every_class)
    )
    assert report["macro_f1"] == metrics.f1_score(
        labels, predicted, average="macro", zero_division=0
    )
    truth = metrics.classification_report(
        labels, predicted, labels=every_class, output_dict=True, zero_division=0
    )
    for index, row in enumerate(report["classes"]):
        expected = truth[str(index)]
        assert row["precision"] == expected["precision"]
        assert row["recall"] == expected["recall"]
        assert row["f1"] == expected["f1-score"]
        assert row["support"] == expected["support"]
    assert (
        np.array(report["confusion"]).sum(axis=1) == np.bincount(labels, minlength=num_classes)
    ).all()
    if num_classes > 5 and not ties:
        assert report["top5"] == metrics.top_k_accuracy_score(
            labels, logits, k=5, labels=every_class
        )
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_slices_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(23, 7)).astype(np.float32), random.integers(7, size=23)
    whole = classification_report(logits, labels, names(7))
    monkeypatch.setattr(classification, "_SLICE_LOGITS", 28)
    assert classification_report(logits, labels, names(7)) == whole


def test_ties_go_to_the_first_class() -> None:
    predictions = read_logits(np.zeros((3, 3)), np.array([0, 1, 2]))
    assert predictions.predicted.tolist() == [0, 0, 0]
    assert predictions.rank.tolist() == [0, 1, 2]
    assert predictions.confidence == pytest.approx([1 / 3] * 3)


def test_one_image_two_classes_and_top_five_of_two() -> None:
    report = classification_report(np.array([[0.0, 1.0]]), np.array([0]), names(2))
    assert report["accuracy"] == 0
    assert report["top5"] == 1
    assert report["loss"] == pytest.approx(np.log(1 + np.e))


def test_all_right_and_all_wrong() -> None:
    labels = np.array([0, 1, 2, 1])
    right = classification_report(sure(labels.tolist(), 3), labels, names(3))
    assert (right["accuracy"], right["macro_f1"], right["accuracy_interval"][1]) == (1, 1, 1)
    assert right["ece"] == pytest.approx(0)
    wrong = classification_report(sure([1, 2, 0, 0], 3), labels, names(3))
    assert (wrong["accuracy"], wrong["macro_f1"], wrong["accuracy_interval"][0]) == (0, 0, 0)
    assert wrong["ece"] == pytest.approx(1)


def test_huge_logits_do_not_overflow() -> None:
    logits = np.array([[1e30, -1e30]], dtype=np.float32)
    assert classification_report(logits, np.array([0]), names(2))["loss"] == 0


def test_unnamed_skipped_files_count_too() -> None:
    report = classification_report(
        np.eye(2), np.array([0, 1]), names(2), num_skipped=90, skipped=["a.jpg"]
    )
    assert report["num_skipped"] == 90


@pytest.mark.parametrize(
    ("logits", "labels", "num_names", "message"),
    [
        (np.zeros((0, 2)), [], 2, "not \\(N, K\\)"),
        (np.zeros((1, 2)), [2], 2, "outside the 2 classes"),
        (np.zeros((1, 2)), [-1], 2, "outside the 2 classes"),
        (np.zeros((1, 2)), [0], 3, "3 class names for 2"),
    ],
)
def test_refuses(logits: np.ndarray, labels: list[int], num_names: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classification_report(logits, np.array(labels, dtype=np.int64), names(num_names))


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_told(broken: float) -> None:
    with pytest.raises(ArithmeticError, match="NaN or infinity: the model is broken"):
        classification_report(np.array([[broken, 0.0]]), np.array([0]), names(2))


def test_refuses_labels_of_other_images() -> None:
    # The first where annotations are checked at run time, the second where they are not.
    with pytest.raises((TypeError, ValueError)):
        classification_report(np.zeros((2, 2)), np.array([0]), names(2))


def test_most_confident_mistakes() -> None:
    logits = np.array([[1.0, 0], [3, 0], [0, 9], [3, 0], [2, 0]])
    labels = np.array([1, 1, 1, 1, 1])
    assert most_confident_mistakes(logits, labels).tolist() == [1, 3, 4, 0]
    assert most_confident_mistakes(logits, labels, limit=2).tolist() == [1, 3]
    assert most_confident_mistakes(logits, np.array([0, 0, 1, 0, 0])).tolist() == []


@pytest.mark.parametrize(("num_classes", "kept"), [(1000, True), (1001, False)])
def test_the_confusion_of_very_many_classes_is_left_out(num_classes: int, kept: bool) -> None:
    report = classification_report(
        sure([0, 2, 2], num_classes), np.array([0, 1, 1]), names(num_classes)
    )
    assert ("confusion" in report) == kept
    assert len(report["classes"]) == num_classes
