"""How sure a proportion is: the interval beside every accuracy."""

from math import sqrt
from statistics import NormalDist


def wilson_interval(successes: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion p = successes / total.

    With z the normal quantile of (1 + confidence) / 2 and n = total:

        (p + z^2 / 2n  +-  z * sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    Unlike the textbook p +- z * sqrt(p (1 - p) / n) it never leaves [0, 1], and it has a width
    when every image is right.

    Args:
        successes: Number of images that were right, 0 to `total`.
        total: Number of images, at least 1.
        confidence: Coverage, between 0 and 1.

    Returns:
        The lower and the upper end, both in [0, 1].

    Raises:
        ValueError: The counts or the confidence are out of range.

    Source:
        Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22
        (1927), without continuity correction: method 3 of Newcombe, Statistics in Medicine 17
        (1998), whose Table I the tests repeat.
    """
    if total < 1 or not 0 <= successes <= total:
        raise ValueError(f"{successes} successes of {total} is not a proportion")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = successes / total
    centre = p + z * z / (2 * total)
    spread = z * sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # The two ends that are exact on paper must not be 1e-17 away from it.
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == total else (centre + spread) / scale
    return low, high
