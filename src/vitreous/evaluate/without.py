"""Accuracy without some images: those that training may have seen under another name."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vitreous.data.exclude import Exclusion
from vitreous.errors import UserError
from vitreous.evaluate.classification import classification_report
from vitreous.evaluate.inference import Inference

_KEPT = ("accuracy", "accuracy_interval", "top5", "loss", "macro_f1", "ece", "num_images")


def measure_without(
    answers: Inference, names: Sequence[str], class_names: Sequence[str], listed: Exclusion
) -> dict[str, Any]:
    """Measure on what a list leaves; no image is run again.

    Args:
        answers: To every image, labels in the order of `class_names`.
        names: Of the images, in the answers' order.
        class_names: One a column of logits.
        listed: Names images to leave out.

    Returns:
        `accuracy`, `accuracy_interval`, `top5`, `loss`, `macro_f1`, `ece` and `num_images` of the
        rest, as in `classification_report`; `list`, its address; `excluded`, the names that were
        left out; `num_unknown`, how many of the list's names are no image here.

    Raises:
        UserError: The list names every image.
    """
    out = np.array([name in listed.measuring for name in names], bool)
    if out.all():
        raise UserError(f"{listed.address} names every image: nothing is left to measure")
    rest = classification_report(answers.logits[~out], answers.labels[~out], class_names)
    excluded = [names[index] for index in np.flatnonzero(out).tolist()]
    return {
        "list": listed.address,
        **{key: rest[key] for key in _KEPT},
        "excluded": excluded,
        "num_unknown": len(listed.measuring) - len(excluded),
    }
