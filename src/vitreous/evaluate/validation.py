"""The two numbers that a validation during training gives."""

import numpy as np
from jaxtyping import Float, Int64, UInt8

from vitreous.evaluate.classification import read_logits
from vitreous.evaluate.multilabel import average_precision, binary_cross_entropy


def measure(
    logits: Float[np.ndarray, "N K"], labels: Int64[np.ndarray, " N"] | UInt8[np.ndarray, "N K"]
) -> dict[str, float]:
    """Loss and score.

    Args:
        logits: One row an image, one column a class.
        labels: Class indices, or multi-hot rows.

    Returns:
        `loss` in nats, and `accuracy`; of multi-hot rows `map`, the mean average precision.

    Raises:
        ArithmeticError: A logit is not finite.
        UserError: Of multi-hot rows, no image has any class.
    """
    if labels.ndim == 2:
        precisions = average_precision(logits, labels)
        return {
            "loss": binary_cross_entropy(logits, labels),
            "map": float(np.nanmean(precisions)),
        }
    predictions = read_logits(logits, labels)
    return {
        "loss": float(-predictions.log_probability.mean()),
        "accuracy": float(predictions.correct.mean()),
    }
