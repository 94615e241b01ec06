"""A linear classifier on frozen features, its penalty chosen by a sweep."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from vitreous.evaluate.features import Labelled

PENALTIES = tuple(10.0**power for power in range(-6, 2))


@dataclass(frozen=True)
class Probe:
    """What a linear classifier gets out of features.

    Attributes:
        accuracy: On the test images.
        l2: The penalty that was best on held-out training images.
        sweep: Accuracy on those, by penalty.
    """

    accuracy: float
    l2: float
    sweep: dict[float, float]


def linear_probe(
    train: Labelled,
    test: Labelled,
    penalties: Sequence[float] = PENALTIES,
    *,
    validation: Labelled | None = None,
    held_out: float = 0.2,
    seed: int = 0,
    iterations: int = 300,
) -> Probe:
    """Multinomial logistic regression: mean cross-entropy + l2 / 2 |W|^2, by L-BFGS.

    Features are brought to mean 0 and deviation 1. Each penalty is fitted to a part of the training
    images and measured on the rest, or on validation images of their own; the best one (of equals
    the largest) is fitted to all of them.

    Args:
        train: What is learnt from; at least two images a class where there is no `validation`.
        test: Measured on once, in the end.
        penalties: To try.
        validation: Images that choose, and are learnt from with the others in the end.
        held_out: Share of the training images that chooses, where there are none.
        seed: Of that share.
        iterations: At most; more hardly change what is predicted.
    """
    known = train.features
    labels = train.labels
    if validation is None:
        first, second = train_test_split(
            np.arange(len(known)), test_size=held_out, random_state=seed, stratify=labels
        )
    else:
        known = np.concatenate([known, validation.features])
        labels = np.concatenate([labels, validation.labels])
        first, second = np.split(np.arange(len(known)), [len(train.labels)])
    mean, deviation = known.mean(0), known.std(0) + 1e-5
    x, x_test = ((features - mean) / deviation for features in (known, test.features))

    def accuracy(
        l2: float, rows: np.ndarray, other: Float[np.ndarray, "n D"], truth: np.ndarray
    ) -> float:
        model = LogisticRegression(C=1 / (l2 * len(rows)), max_iter=iterations)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x[rows], labels[rows])
        return float((model.predict(other) == truth).mean())

    sweep = {l2: accuracy(l2, first, x[second], labels[second]) for l2 in penalties}
    best = max(sweep, key=lambda l2: (sweep[l2], l2))
    return Probe(accuracy(best, np.arange(len(x)), x_test, test.labels), best, sweep)
