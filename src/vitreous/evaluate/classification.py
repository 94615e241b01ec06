"""The numbers of a classifier, from its logits and the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support

from vitreous.evaluate.calibration import calibrate
from vitreous.evaluate.interval import wilson_interval

# Rows are read in slices of about this many logits, so that the double precision copies of
# 50,000 x 21,841 logits never lie in memory together.
_SLICE_LOGITS = 1 << 24
# ImageNet's; the square of 21,843 would be half a thousand million numbers, nearly all zero.
_CLASSES_CROSSED = 1000


@dataclass(frozen=True)
class Predictions:
    """What a classifier said of each image, in double precision.

    Attributes:
        predicted: Class of the highest logit; of equal ones, the first.
        confidence: Softmax probability of that class.
        log_probability: Natural logarithm of the softmax probability of the true class.
        rank: Place of the true class, 0 when it is `predicted`; equal logits rank in class order.
    """

    predicted: Int64[np.ndarray, " N"]
    confidence: Float[np.ndarray, " N"]
    log_probability: Float[np.ndarray, " N"]
    rank: Int64[np.ndarray, " N"]

    @property
    def correct(self) -> Bool[np.ndarray, " N"]:
        """Whether the predicted class is the true one."""
        return np.equal(self.rank, 0)


def read_logits(logits: Float[np.ndarray, "N K"], labels: Int64[np.ndarray, " N"]) -> Predictions:
    """Read predictions off logits.

    Args:
        logits: One row an image, one column a class, any floating type.
        labels: True classes, 0 to K - 1.

    Returns:
        The predictions, in the order of the rows.

    Raises:
        ValueError: There is no image or no class, the shapes disagree, or a label is no class.
        ArithmeticError: A logit is not finite.
    """
    if logits.ndim != 2 or 0 in logits.shape or labels.shape != logits.shape[:1]:
        raise ValueError(f"logits {logits.shape} and labels {labels.shape} are not (N, K) and (N,)")
    num_images, num_classes = logits.shape
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"a label lies outside the {num_classes} classes 0 to {num_classes - 1}")
    step = max(1, _SLICE_LOGITS // num_classes)
    slices = [
        _read_slice(logits[start : start + step].astype(np.float64), labels[start : start + step])
        for start in range(0, num_images, step)
    ]
    return Predictions(*(np.concatenate(column) for column in zip(*slices, strict=True)))


def _read_slice(
    logits: Float[np.ndarray, "n K"], labels: Int64[np.ndarray, " n"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    if not np.isfinite(logits).all():
        raise ArithmeticError("logits hold NaN or infinity: the model is broken, not merely wrong")
    rows = np.arange(len(logits))
    logits -= logits.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(logits).sum(axis=1))
    true = logits[rows, labels]
    ahead = logits > true[:, None]
    ahead |= (logits == true[:, None]) & (np.arange(logits.shape[1]) < labels[:, None])
    return logits.argmax(axis=1), np.exp(-log_total), true - log_total, ahead.sum(axis=1)


def classification_report(
    logits: Float[np.ndarray, "N K"],
    labels: Int64[np.ndarray, " N"],
    class_names: Sequence[str],
    *,
    num_skipped: int | None = None,
    skipped: Sequence[str] = (),
) -> dict[str, Any]:
    """Measure a classifier; scikit-learn does the counting.

    Args:
        logits: One row an image, one column a class.
        labels: True classes, 0 to K - 1.
        class_names: One name a class, in label order.
        num_skipped: Images that could not be read and so were not measured; by default as many
            as `skipped` names.
        skipped: Their names, or the first of them.

    Returns:
        A dictionary that `json.dumps` takes, of shares in [0, 1] and counts:

        * `accuracy`, `accuracy_interval` ([low, high], Wilson, 95 %), `top5` (the true class is
          among the first min(5, K)), `loss` (mean cross-entropy, in nats);
        * `macro_f1`: mean F1 of the classes that occur in the truth or in the predictions, as in
          scikit-learn; `ece`: expected calibration error over 15 bins (Guo et al. 2017);
        * `num_images`, `num_skipped`, `skipped`;
        * `classes`: `{name, precision, recall, f1, support}` for every class, in label order, 0
          where a ratio has no denominator;
        * `confusion`: K x K counts, rows the truth, columns the prediction; left out above 1,000
          classes;
        * `calibration`: `{edges, confidence, accuracy, count}` of the 15 bins.

    Raises:
        ValueError: As `read_logits`, or the number of names is not K.
        ArithmeticError: As `read_logits`.
    """
    predictions = read_logits(logits, labels)
    num_images, num_classes = logits.shape
    if len(class_names) != num_classes:
        raise ValueError(f"{len(class_names)} class names for {num_classes} columns of logits")
    every_class = np.arange(num_classes)
    table = precision_recall_fscore_support(
        labels, predictions.predicted, labels=every_class, zero_division=0
    )
    bins = calibrate(predictions.confidence, predictions.correct)
    num_correct = int(predictions.correct.sum())
    report = {
        "accuracy": num_correct / num_images,
        "accuracy_interval": list(wilson_interval(num_correct, num_images)),
        "top5": float((predictions.rank < 5).mean()),
        "loss": float(-predictions.log_probability.mean()),
        "macro_f1": float(
            f1_score(labels, predictions.predicted, average="macro", zero_division=0)
        ),
        "ece": bins.expected_error,
        "num_images": num_images,
        "num_skipped": len(skipped) if num_skipped is None else num_skipped,
        "skipped": list(skipped),
        "classes": [
            {"name": name, "precision": p, "recall": r, "f1": f, "support": support}
            for name, p, r, f, support in zip(
                class_names, *(column.tolist() for column in table), strict=True
            )
        ],
        "calibration": {
            "edges": bins.edges.tolist(),
            "confidence": bins.confidence.tolist(),
            "accuracy": bins.accuracy.tolist(),
            "count": bins.count.tolist(),
        },
    }
    if num_classes <= _CLASSES_CROSSED:
        crossed = confusion_matrix(labels, predictions.predicted, labels=every_class)
        report["confusion"] = crossed.tolist()
    return report


def most_confident_mistakes(
    logits: Float[np.ndarray, "N K"], labels: Int64[np.ndarray, " N"], limit: int = 24
) -> Int64[np.ndarray, " m"]:
    """Find the images that were named wrongly with the highest confidence.

    Args:
        logits: One row an image, one column a class.
        labels: True classes, 0 to K - 1.
        limit: At most so many.

    Returns:
        Row numbers, the most confident mistake first; equally confident ones in row order.

    Raises:
        ValueError: As `read_logits`.
    """
    predictions = read_logits(logits, labels)
    wrong = np.flatnonzero(~predictions.correct)
    order = np.argsort(-predictions.confidence[wrong], kind="stable")
    return wrong[order][:limit]
