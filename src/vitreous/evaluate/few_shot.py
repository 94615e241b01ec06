"""Linear few-shot accuracy: a classifier on frozen features, solved in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from jaxtyping import Float, Int64
from scipy.linalg import cho_factor, cho_solve

from vitreous.errors import UserError
from vitreous.evaluate.features import Labelled

SHOTS = (1, 5, 10, 25)
L2 = 2.0**10
"""The official later code's, on features of deviation 1; the paper does not tell its own."""


@dataclass(frozen=True)
class FewShot:
    """Accuracy on all test images after learning from a few of each class.

    Attributes:
        shots: Training images a class.
        accuracies: One a seed; each seed draws other images.
    """

    shots: int
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return fmean(self.accuracies)

    @property
    def spread(self) -> float:
        """Deviation over the seeds; 0 of one."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0


@dataclass(frozen=True)
class LinearMap:
    """Scores x W + b.

    Attributes:
        weight: W.
        bias: b.
    """

    weight: Float[np.ndarray, "D K"]
    bias: Float[np.ndarray, " K"]

    def __call__(self, x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n K"]:
        """Scores of each class."""
        return x @ self.weight + self.bias


def ridge(x: Float[np.ndarray, "n D"], y: Float[np.ndarray, "n K"], l2: float) -> LinearMap:
    """Least squares with a penalty: the W and b that minimise |x W + b - y|^2 + l2 |W|^2.

    With x and y less their means (which frees b of the penalty), of two equal forms the one whose
    matrix is smaller is solved, by Cholesky in float64:

        n >= D:  W = (x^T x + l2 I)^-1 x^T y        D x D
        n <  D:  W = x^T (x x^T + l2 I)^-1 y        n x n

    Args:
        x: Features.
        y: Targets.
        l2: Over 0.

    Source: the paper, section 4.1, "Metrics": regularised least squares to {-1, 1}^K.
    """
    mean_x, mean_y = x.mean(0, dtype=np.float64), y.mean(0, dtype=np.float64)
    x, y = x.astype(np.float64) - mean_x, y.astype(np.float64) - mean_y
    n, width = x.shape
    if n >= width:
        weight = _solve(x.T @ x, x.T @ y, l2)
    else:
        weight = x.T @ _solve(x @ x.T, y, l2)
    return LinearMap(weight, mean_y - mean_x @ weight)


def _solve(
    gram: Float[np.ndarray, "m m"], right: Float[np.ndarray, "m K"], l2: float
) -> Float[np.ndarray, "m K"]:
    gram[np.diag_indices_from(gram)] += l2
    solved: np.ndarray = cho_solve(cho_factor(gram, overwrite_a=True), right)
    return solved


def signs(labels: Int64[np.ndarray, " n"], num_classes: int) -> Float[np.ndarray, "n K"]:
    """Targets: 1 for the label, -1 for all others."""
    return 2.0 * (labels[:, None] == np.arange(num_classes)) - 1.0


def draw_shots(
    labels: Int64[np.ndarray, " N"], class_names: Sequence[str], shots: int, seed: int
) -> Int64[np.ndarray, " n"]:
    """Places of so many images of each class; those of fewer shots by the same seed are among them.

    Args:
        labels: Of all training images.
        class_names: In label order.
        shots: Images a class.
        seed: Of the choice.

    Raises:
        UserError: A class has fewer images, or there is no second class.
    """
    if len(class_names) < 2:
        raise UserError("few-shot tells classes apart, and the data has one class: leave it out")
    counts = np.bincount(labels, minlength=len(class_names))
    short = int(counts.argmin())
    if not counts[short]:
        raise UserError(
            f"class {class_names[short]} has no training image, and few-shot learns from some of "
            "each class: add images, or take the class out"
        )
    if counts[short] < shots:
        raise UserError(
            f"{shots} shots are asked for and class {class_names[short]} has {counts[short]} "
            f"training images: give --few_shot {counts[short]} at most"
        )
    order = np.random.default_rng(seed).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    firsts = np.cumsum(counts) - counts
    return np.sort(by_class[(firsts[:, None] + np.arange(shots)).ravel()])


def all_draws(
    labels: Int64[np.ndarray, " N"], class_names: Sequence[str], shots: int, seeds: int
) -> Int64[np.ndarray, " n"]:
    """Places of all images that `few_shot` will learn from, ascending.

    Args:
        labels: Of all training images.
        class_names: In label order.
        shots: The most that are drawn of a class.
        seeds: Draws.
    """
    draws = [draw_shots(labels, class_names, shots, seed) for seed in range(seeds)]
    return np.unique(np.concatenate(draws))


def few_shot(
    train: Labelled,
    test: Labelled,
    labels: Int64[np.ndarray, " N"],
    class_names: Sequence[str],
    shots: Sequence[int] = SHOTS,
    *,
    seeds: int = 3,
    l2: float = L2,
) -> list[FewShot]:
    """Learn from a few images of each class, and measure on all test images.

    Features are brought to mean 0 and deviation 1 by those of the few.

    Args:
        train: Features of at least the images that are drawn (`all_draws`), in ascending order.
        test: All measured on.
        labels: Of all training images, which shots are drawn from.
        class_names: In label order.
        shots: Images a class, each its own result.
        seeds: Draws of each; their spread is told.
        l2: See `ridge`.

    Raises:
        UserError: A class has fewer training images than shots.
    """
    results = []
    for count in shots:
        accuracies = []
        for seed in range(seeds):
            places = draw_shots(labels, class_names, count, seed)
            drawn = train.rows(np.flatnonzero(np.isin(train.index, places)))
            mean, deviation = drawn.features.mean(0), drawn.features.std(0) + 1e-5
            x, x_test = ((part.features - mean) / deviation for part in (drawn, test))
            scores = ridge(x, signs(drawn.labels, len(class_names)), l2)(x_test)
            accuracies.append(float((scores.argmax(1) == test.labels).mean()))
        results.append(FewShot(count, tuple(accuracies)))
    return results
