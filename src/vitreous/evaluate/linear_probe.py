"""A linear classifier on frozen features, its penalty chosen by a sweep."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from vitreous.data.split import share_of_each_class
from vitreous.errors import UserError
from vitreous.evaluate.features import Labelled

PENALTIES = tuple(10.0**power for power in range(-6, 2))


@dataclass(frozen=True)
class Probe:
    """What a linear classifier gets out of features.

    Attributes:
        predicted: Class of each test image.
        accuracy: On them.
        l2: The penalty that was best on held-out training images.
        sweep: Accuracy on those, by penalty.
    """

    predicted: Int64[np.ndarray, " N"]
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
    images and measured on the rest (of each class its share, at least one, where it has two), or on
    validation images of their own; the best one (of equals the largest) is fitted to all of them.

    Args:
        train: What is learnt from.
        test: Measured on once, in the end.
        penalties: To try.
        validation: Images that choose, and are learnt from with the others in the end.
        held_out: Share of the training images that chooses, where there are none.
        seed: Of that share.
        iterations: At most; more hardly change what is predicted.

    Raises:
        UserError: There are images of one class only, or none of any class to choose by.
    """
    known = train.features
    labels = train.labels
    if validation is None:
        second = share_of_each_class(labels, held_out, seed)
        first = np.setdiff1d(np.arange(len(known)), second, assume_unique=True)
    else:
        known = np.concatenate([known, validation.features])
        labels = np.concatenate([labels, validation.labels])
        first, second = np.split(np.arange(len(known)), [len(train.labels)])
    if len(np.unique(labels[first])) < 2:
        raise UserError(
            "a linear probe learns from training images of one class only: give at least two"
        )
    if not len(second):
        raise UserError(
            "a linear probe chooses its penalty on training images held out, and there is one "
            "training image of each class: add images, or ask for --few_shot 1"
        )
    mean, deviation = known.mean(0), known.std(0) + 1e-5
    x, x_test = ((features - mean) / deviation for features in (known, test.features))

    def predict(
        l2: float, rows: Int64[np.ndarray, " m"], other: Float[np.ndarray, "n D"]
    ) -> Int64[np.ndarray, " n"]:
        model = LogisticRegression(C=1 / (l2 * len(rows)), max_iter=iterations)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x[rows], labels[rows])
        return model.predict(other)

    chosen = labels[second]
    sweep = {l2: float((predict(l2, first, x[second]) == chosen).mean()) for l2 in penalties}
    best = max(sweep, key=lambda l2: (sweep[l2], l2))
    predicted = predict(best, np.arange(len(x)), x_test)
    return Probe(predicted, float((predicted == test.labels).mean()), best, sweep)
