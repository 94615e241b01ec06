"""The numbers of a classifier of images that have any number of classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Real, UInt8

from vitreous.errors import UserError

THRESHOLD = 0.5
"""Probability from which a class is said to be there."""


def average_precision(
    logits: Real[np.ndarray, "N K"], labels: UInt8[np.ndarray, "N K"]
) -> Float[np.ndarray, " K"]:
    """Area under each class's precision-recall curve, as scikit-learn sums it.

    Returns:
        One value a class; NaN for a class that no image has.

    Raises:
        ArithmeticError: A logit is not finite.
        UserError: No image has any class.
    """
    from sklearn.metrics import average_precision_score

    if not np.isfinite(logits).all():
        raise ArithmeticError("logits hold NaN or infinity: the model is broken, not merely wrong")
    present = labels.any(axis=0)
    if not present.any():
        raise UserError("no image to measure on has any of the classes: check the labels")
    precisions = np.full(labels.shape[1], np.nan)
    for column in np.flatnonzero(present).tolist():
        precisions[column] = average_precision_score(labels[:, column], logits[:, column])
    return precisions


def binary_cross_entropy(
    logits: Real[np.ndarray, "N K"], labels: UInt8[np.ndarray, "N K"]
) -> float:
    """Summed over the classes, mean over the images, nats."""
    wide = logits.astype(np.float64)
    # log(1 + e^x) - x y, without overflow
    return float((np.logaddexp(0.0, wide) - wide * labels).sum(axis=1).mean())


def multilabel_report(
    logits: Real[np.ndarray, "N K"],
    labels: UInt8[np.ndarray, "N K"],
    class_names: Sequence[str],
    *,
    skipped: Sequence[str] = (),
) -> dict[str, Any]:
    """Measure; scikit-learn does the counting.

    Args:
        logits: One row an image, one column a class.
        labels: Zeros and ones of the same shape.
        class_names: One name a class, in label order.
        skipped: Images that could not be read and so were not measured.

    Returns:
        A dictionary that `json.dumps` takes:

        * `multi_label` (true), `threshold`, `loss` (nats, summed over the classes);
        * `map`: mean average precision over the classes that some image has;
        * `macro_f1`, `micro_f1` and `exact` (share of images with every class right), at the
          threshold;
        * `num_images`, `num_skipped`, `skipped`;
        * `classes`: `{name, average_precision, precision, recall, f1, support}`, in label order;
          `average_precision` is None for a class that no image has.

    Raises:
        ValueError: The shapes disagree.
        ArithmeticError: A logit is not finite.
        UserError: No image has any class.
    """
    # Imported when called: `predict` needs only the threshold, and these take a second.
    from scipy.special import expit
    from sklearn.metrics import precision_recall_fscore_support

    if logits.shape != labels.shape or logits.shape[1] != len(class_names):
        raise ValueError(f"logits {logits.shape}, labels {labels.shape}, {len(class_names)} names")
    precisions = average_precision(logits, labels)
    said = (expit(logits.astype(np.float64)) >= THRESHOLD).astype(np.uint8)
    table = precision_recall_fscore_support(labels, said, zero_division=0)
    overall = {
        kind: precision_recall_fscore_support(labels, said, average=kind, zero_division=0)[2]
        for kind in ("macro", "micro")
    }
    return {
        "multi_label": True,
        "threshold": THRESHOLD,
        "map": float(np.nanmean(precisions)),
        "loss": binary_cross_entropy(logits, labels),
        "macro_f1": float(overall["macro"]),
        "micro_f1": float(overall["micro"]),
        "exact": float((said == labels).all(axis=1).mean()),
        "num_images": len(labels),
        "num_skipped": len(skipped),
        "skipped": list(skipped),
        "classes": [
            {
                "name": name,
                "average_precision": None if np.isnan(area) else float(area),
                "precision": p,
                "recall": r,
                "f1": f,
                "support": support,
            }
            for name, area, p, r, f, support in zip(
                class_names, precisions, *(column.tolist() for column in table), strict=True
            )
        ],
    }
