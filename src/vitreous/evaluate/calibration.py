"""Does a confidence of 80 % mean right 8 times in 10?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64


@dataclass(frozen=True)
class Calibration:
    """Predictions gathered in equal-width bins of their confidence.

    Attributes:
        edges: Bin borders from 0 to 1; a bin holds its upper border and not its lower one.
        confidence: Mean confidence in each bin, 0 where the bin is empty.
        accuracy: Share of right predictions in each bin, 0 where the bin is empty.
        count: Predictions in each bin.
    """

    edges: Float[np.ndarray, " borders"]
    confidence: Float[np.ndarray, " bins"]
    accuracy: Float[np.ndarray, " bins"]
    count: Int64[np.ndarray, " bins"]

    @property
    def expected_error(self) -> float:
        """Expected calibration error: sum over bins of (count / N) |accuracy - confidence|.

        Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation (3).
        """
        weight = self.count / self.count.sum()
        return float((weight * np.abs(self.accuracy - self.confidence)).sum())


def calibrate(
    confidence: Float[np.ndarray, " N"], correct: Bool[np.ndarray, " N"], num_bins: int = 15
) -> Calibration:
    """Gather predictions in bins of equal width.

    Args:
        confidence: Probability of the predicted class, in [0, 1].
        correct: Whether the prediction was right.
        num_bins: Number of bins between 0 and 1; 15 as in Guo et al. 2017, section 5.

    Returns:
        The bins, from the least to the most confident.

    Raises:
        ValueError: There is nothing to gather, or a confidence lies outside [0, 1].
    """
    if confidence.size == 0:
        raise ValueError("calibration needs at least one prediction")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError("a confidence lies outside [0, 1]")
    edges = np.linspace(0.0, 1.0, num_bins + 1)
    # Bins are (lower, upper], as in the paper; a confidence of exactly 0 joins the first.
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, num_bins - 1)
    count = np.bincount(bins, minlength=num_bins)
    filled = np.maximum(count, 1)
    return Calibration(
        edges=edges,
        confidence=np.bincount(bins, confidence, num_bins) / filled,
        accuracy=np.bincount(bins, correct.astype(np.float64), num_bins) / filled,
        count=count.astype(np.int64),
    )
