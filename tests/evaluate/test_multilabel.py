import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from vitreous.errors import UserError
from vitreous.evaluate.labels import in_model_order
from vitreous.evaluate.multilabel import average_precision, binary_cross_entropy, multilabel_report
from vitreous.evaluate.validation import measure

LOGITS = np.array([[2.0, -1.0, 0.5], [-1.0, 3.0, -2.0], [1.0, 1.0, -3.0]], np.float32)
LABELS = np.array([[1, 0, 1], [0, 1, 0], [0, 1, 0]], np.uint8)


def test_a_report_by_hand():
    report = multilabel_report(LOGITS, LABELS, ("a", "b", "c"))
    assert report["map"] == 1.0  # every image with a class is before those without it
    assert report["exact"] == pytest.approx(2 / 3)  # the third is also called a
    assert report["classes"][0]["precision"] == 0.5
    assert report["classes"][0]["recall"] == 1.0
    assert report["micro_f1"] == pytest.approx(8 / 9)
    assert report["num_images"] == 3
    assert report["multi_label"]


def test_loss_is_the_sum_over_classes():
    shares = 1 / (1 + np.exp(-LOGITS.astype(float)))
    terms = np.where(LABELS == 1, -np.log(shares), -np.log(1 - shares))
    assert binary_cross_entropy(LOGITS, LABELS) == pytest.approx(terms.sum(1).mean())
    assert np.isfinite(binary_cross_entropy(LOGITS * 1e4, LABELS))


def test_a_class_that_nobody_has_counts_in_no_mean():
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(40, 3))
    labels = draw.integers(0, 2, (40, 3)).astype(np.uint8)
    labels[:, 1] = 0
    areas = average_precision(logits, labels)
    assert np.isnan(areas[1])
    assert areas[2] == average_precision_score(labels[:, 2], logits[:, 2])
    report = multilabel_report(logits, labels, ("a", "b", "c"))
    assert report["classes"][1]["average_precision"] is None
    assert report["map"] == pytest.approx((areas[0] + areas[2]) / 2)
    assert measure(logits, labels)["map"] == pytest.approx(report["map"])
    with pytest.raises(UserError, match="has any of the classes"):
        average_precision(logits, np.zeros_like(labels))


def test_labels_go_to_the_models_columns():
    places = np.array([2, 0])
    assert in_model_order(np.array([0, 1]), places, 3, multi_label=False).tolist() == [2, 0]
    rows = in_model_order(np.array([[1, 1], [0, 1]], np.uint8), places, 3, multi_label=True)
    assert rows.tolist() == [[1, 0, 1], [1, 0, 0]]
    assert in_model_order(np.array([1]), places, 3, multi_label=True).tolist() == [[1, 0, 0]]


def test_broken_logits_are_refused():
    with pytest.raises(ArithmeticError, match="NaN"):
        multilabel_report(LOGITS * np.nan, LABELS, ("a", "b", "c"))
    with pytest.raises(ValueError, match="names"):
        multilabel_report(LOGITS, LABELS, ("a", "b"))


def test_broken_logits_are_refused_in_validation():
    with pytest.raises(ArithmeticError, match="NaN"):
        measure(LOGITS * np.nan, LABELS)
