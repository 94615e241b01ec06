"""ImageNet accuracy by labels that say all that is on an image (ReaL)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from vitreous.data.sources.real import RealLabels, real_labels_of
from vitreous.errors import UserError
from vitreous.evaluate.interval import wilson_interval


def real_accuracy(
    predicted: Int64[np.ndarray, " N"], names: Sequence[str], labels: RealLabels
) -> dict[str, Any]:
    """Share of images whose predicted class is among those that raters agreed on.

    Images without such a class are left out, as in the paper.

    Args:
        predicted: Class indices in the order of the sorted WordNet ids.
        names: Of the images, `ILSVRC2012_val_00000001.JPEG`.
        labels: As `read_real_labels` gives them.

    Returns:
        `accuracy`, `accuracy_interval` (95 %), `num_images`, and `left_out`, how many.

    Raises:
        UserError: A name is no ImageNet validation image's, or none of them has a label.

    Source: Beyer et al. 2020, "Are we done with ImageNet?", arXiv 2006.07159.
    """
    own = real_labels_of(names, labels)
    if not any(own):
        raise UserError("ReaL has no label of any of these images: give more of them")
    right = [int(one) in those for one, those in zip(predicted, own, strict=True) if those]
    return {
        "accuracy": sum(right) / len(right),
        "accuracy_interval": list(wilson_interval(sum(right), len(right))),
        "num_images": len(right),
        "left_out": len(own) - len(right),
    }


def check_truth(truth: Int64[np.ndarray, " N"], names: Sequence[str], labels: RealLabels) -> None:
    """Refuse data whose classes are in another order than ReaL's.

    ReaL numbers classes by their sorted WordNet ids, and has ImageNet's own label of most images
    among its own; in another order next to none would be.

    Args:
        truth: The data's own labels.
        names: Of the images, as in `real_accuracy`.
        labels: As `read_real_labels` gives them.

    Raises:
        UserError: Less than half of the images agree, or a name is no ImageNet validation image's.
    """
    own = real_labels_of(names, labels)
    agreed = [int(one) in those for one, those in zip(truth, own, strict=True) if those]
    if sum(agreed) < len(agreed) / 2:
        raise UserError(
            f"ReaL has the data's own class of only {sum(agreed):,} of {len(agreed):,} images: "
            "name the classes by their WordNet ids (n01440764, ...), whose order is ReaL's"
        )
