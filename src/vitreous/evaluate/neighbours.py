"""The label of the nearest training images, by the cosine of their features."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from vitreous.errors import UserError

_CHUNK = 1 << 26  # similarities in memory at once


def nearest_labels(
    train: Float[Tensor, "N D"],
    labels: Int64[Tensor, " N"],
    test: Float[Tensor, "M D"],
    *,
    neighbours: int = 20,
    temperature: float = 0.07,
) -> Int64[Tensor, " M"]:
    """For each test image, the class with the most votes of its k nearest training images.

    A neighbour of cosine s votes with exp(s / T).

    Args:
        train: Features of training images.
        labels: Theirs.
        test: Features of test images, on the same device.
        neighbours: k.
        temperature: T.

    Raises:
        UserError: More neighbours than training images.

    Source: Wu et al. 2018, arXiv 1805.01978, section 3.4; with k = 20 and T = 0.07, Caron et al.
    2021, "Emerging Properties in Self-Supervised Vision Transformers", arXiv 2104.14294.
    """
    if not 1 <= neighbours <= len(train):
        raise UserError(
            f"{neighbours} neighbours are asked for among {len(train)} training images: give "
            f"--neighbours 1 to {len(train)}"
        )
    known = F.normalize(train.float(), dim=1)
    classes = int(labels.max()) + 1
    told = []
    for chunk in test.float().split(max(_CHUNK // len(train), 1)):
        best = (F.normalize(chunk, dim=1) @ known.T).topk(neighbours)
        # The nearest one's vote is 1: no exponential is too large for float32.
        votes = ((best.values - best.values[:, :1]) / temperature).exp()
        ballot = votes.new_zeros(len(chunk), classes)
        told.append(ballot.scatter_add_(1, labels[best.indices], votes).argmax(1))
    return torch.cat(told)
