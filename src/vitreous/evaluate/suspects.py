"""Labels that an image's neighbours in a model's feature space contradict."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8
from torch import Tensor, nn

from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader
from vitreous.data.sample import Labels, Part
from vitreous.evaluate.inference import Inference, infer
from vitreous.model.classifier import Classifier
from vitreous.parallel.device import Engine
from vitreous.weights.passport import passport_of

# Of a neighbour's vote, exp(cosine / temperature): the value of DINO's k-NN (arXiv 2104.14294).
_TEMPERATURE = 0.07


@dataclass(frozen=True, slots=True)
class Suspect:
    """One doubtful label.

    Attributes:
        index: Position of the image.
        given: Its class; None where it may have several and lacks the suggested one.
        suggested: The class that its neighbours have; None where they lack the given one.
        strength: Their votes' share for the suggestion less the share for what is given, 0 to 1.
        neighbour: Position of the nearest image with the suggestion.
    """

    index: int
    given: int | None
    suggested: int | None
    strength: float
    neighbour: int

    def words(self, class_names: Sequence[str]) -> tuple[str, str]:
        """What is given and what is suggested."""
        return (
            f"not {class_names[self.suggested or 0]}"
            if self.given is None
            else class_names[self.given],
            f"not {class_names[self.given or 0]}"
            if self.suggested is None
            else class_names[self.suggested],
        )


def features(model: Classifier, part: Part, engine: Engine, batch_size: int = 64) -> Inference:
    """What the model's head reads of each image of a part, in `logits`, with labels and positions.

    Unreadable images are left out, whatever their number. The part is in the model's channels.
    """
    rule = passport_of(model).preprocessing
    faults = Faults(len(part.labels), limit=1.0)
    loader = EvaluationLoader(part, rule, batch_size=batch_size, faults=faults)
    return infer(_Embedding(model.to(engine.device)), loader, engine)


def suspect_labels(
    vectors: Float32[np.ndarray, "n D"],
    labels: Labels,
    *,
    neighbours: int = 20,
    least: float = 0.5,
) -> list[Suspect]:
    """Let each image's nearest neighbours vote on its label, the image itself left out.

    A neighbour's vote weighs exp(cosine / 0.07); an image whose neighbours outvote its label by
    `least` of all votes is suspect. Where images may have several labels, neighbours vote on each
    class by itself, and the class that they most contradict is told.

    Args:
        vectors: Features, one row an image.
        labels: As given: class indices from 0, or rows of zeros and ones.
        neighbours: How many vote.
        least: Smallest strength that is told.

    Returns:
        The strongest first; `index` and `neighbour` are row numbers.
    """
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import normalize

    count = min(neighbours, len(vectors) - 1)
    if count < 1:
        return []
    unit = normalize(vectors)
    # Without an argument, each row's own point is no neighbour of it.
    distance, near = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(unit).kneighbors()
    vote = np.exp(-(distance**2) / (2 * _TEMPERATURE))  # 1 - cosine is half of it squared
    vote /= np.maximum(vote.sum(1, keepdims=True), 1e-12)
    judge = _one_label if labels.ndim == 1 else _several_labels
    given, suggested, strength, agrees = judge(labels, near, vote)
    found = np.flatnonzero((strength >= least) & (given != suggested))
    found = found[np.argsort(-strength[found], kind="stable")]
    return [
        Suspect(
            row,
            None if given[row] < 0 else int(given[row]),
            None if suggested[row] < 0 else int(suggested[row]),
            float(strength[row]),
            int(near[row][agrees[row]][0]),
        )
        for row in found.tolist()
    ]


_Verdict = tuple[
    Int64[np.ndarray, " n"],
    Int64[np.ndarray, " n"],
    Float64[np.ndarray, " n"],
    Bool[np.ndarray, "n k"],
]
"""Given and suggested class (-1 for its absence), strength, and which neighbours suggest it."""


def _one_label(
    labels: Int64[np.ndarray, " n"],
    near: Int64[np.ndarray, "n k"],
    vote: Float64[np.ndarray, "n k"],
) -> _Verdict:
    every = np.arange(len(labels))
    shares = np.zeros((len(labels), int(labels.max()) + 1))
    np.add.at(shares, (every[:, None], labels[near]), vote)
    best = shares.argmax(1)
    return labels, best, shares[every, best] - shares[every, labels], labels[near] == best[:, None]


def _several_labels(
    labels: UInt8[np.ndarray, "n K"],
    near: Int64[np.ndarray, "n k"],
    vote: Float64[np.ndarray, "n k"],
) -> _Verdict:
    every = np.arange(len(labels))
    shares = np.zeros(labels.shape)
    for rank in range(near.shape[1]):  # one at a time: (n, k, K) may not fit
        shares += vote[:, rank, None] * labels[near[:, rank]]
    against = np.where(labels, 1 - shares, shares)
    worst = against.argmax(1)
    has = labels[every, worst].astype(bool)
    agrees = labels[near, worst[:, None]].astype(bool) != has[:, None]
    strength = 2 * against[every, worst] - 1
    return np.where(has, worst, -1), np.where(has, -1, worst), strength, agrees


class _Embedding(nn.Module):
    """A model without its head."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model.embed(images)
