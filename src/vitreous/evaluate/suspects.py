"""Labels that an image's neighbours in a model's feature space contradict."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader, check_channels
from vitreous.data.sample import Part
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
        given: Its class.
        suggested: The class that its neighbours have.
        strength: Their votes' share for that class less the share for the given one, 0 to 1.
        neighbour: Position of the nearest image of the suggested class.
    """

    index: int
    given: int
    suggested: int
    strength: float
    neighbour: int


def features(
    model: Classifier, part: Part, channels: int, engine: Engine, batch_size: int = 64
) -> Inference:
    """What the model's head reads of each image of a part, in `logits`, with labels and positions.

    Unreadable images are left out, whatever their number.

    Raises:
        UserError: The data has other channels than the model.
    """
    rule = passport_of(model).preprocessing
    check_channels(channels, rule)
    faults = Faults(len(part.labels), limit=1.0)
    loader = EvaluationLoader(part, rule, batch_size=batch_size, faults=faults)
    return infer(_Embedding(model.to(engine.device)), loader, engine)


def suspect_labels(
    vectors: Float32[np.ndarray, "n D"],
    labels: Int64[np.ndarray, " n"],
    *,
    neighbours: int = 20,
    least: float = 0.5,
) -> list[Suspect]:
    """Let each image's nearest neighbours vote on its label, the image itself left out.

    A neighbour's vote weighs exp(cosine / 0.07); an image whose neighbours outvote its label by
    `least` of all votes is suspect.

    Args:
        vectors: Features, one row an image.
        labels: As given, from 0.
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
    shares = np.zeros((len(unit), int(labels.max()) + 1))
    np.add.at(shares, (np.arange(len(unit))[:, None], labels[near]), vote)
    shares /= np.maximum(shares.sum(1, keepdims=True), 1e-12)
    every = np.arange(len(unit))
    best = shares.argmax(1)
    strength = shares[every, best] - shares[every, labels]
    found = np.flatnonzero((best != labels) & (strength >= least))
    found = found[np.argsort(-strength[found], kind="stable")]
    return [
        Suspect(
            int(row),
            int(labels[row]),
            int(best[row]),
            float(strength[row]),
            int(near[row][labels[near[row]] == best[row]][0]),
        )
        for row in found.tolist()
    ]


class _Embedding(nn.Module):
    """A model without its head."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model.embed(images)
