"""Features of a part of a data set in memory, for what learns from them in closed form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader
from vitreous.data.sample import Part
from vitreous.data.split import Subset
from vitreous.evaluate.embed import Features
from vitreous.evaluate.inference import infer
from vitreous.model.classifier import Classifier
from vitreous.parallel.device import Engine
from vitreous.weights.passport import passport_of


@dataclass(frozen=True)
class Labelled:
    """Images as a frozen model sees them.

    Attributes:
        features: One row an image.
        labels: Class indices.
        index: Position of each image in the part that was asked for.
        skipped: Images that could not be read and why, by name.
    """

    features: Float32[np.ndarray, "N D"]
    labels: Int64[np.ndarray, " N"]
    index: Int64[np.ndarray, " N"]
    skipped: Mapping[str, str] = field(default_factory=dict)

    def rows(self, chosen: Int64[np.ndarray, " n"]) -> "Labelled":
        """Some of them."""
        return Labelled(self.features[chosen], self.labels[chosen], self.index[chosen])


class _Embedder(nn.Module):
    def __init__(self, model: Classifier, features: Features) -> None:
        super().__init__()
        self.model, self.features = model, features

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B R"]:
        return self.features.of(self.model, images)


def read_features(
    model: Classifier,
    part: Part,
    engine: Engine,
    *,
    features: Features | None = None,
    places: Sequence[int] | None = None,
    batch_size: int = 64,
    bad_limit: float = 0.01,
) -> Labelled:
    """Run a frozen model over a part, each image once, by its own preprocessing.

    Args:
        model: Moved to the engine's device.
        part: Images and labels.
        engine: Device and precision.
        features: Which; what the head reads where not given.
        places: Of the images that are wanted; all where not given.
        batch_size: Images at once.
        bad_limit: Share of unreadable images over which it stops; others are left out.

    Raises:
        UserError: Features that the model lacks, or too many unreadable images.
    """
    chosen = part if places is None else Subset([part], np.asarray(places, np.int64))
    faults = Faults(len(chosen.labels), bad_limit)
    rule = passport_of(model).preprocessing
    loader = EvaluationLoader(chosen, rule, batch_size=batch_size, faults=faults)
    found = embed_part(model.to(engine.device), loader, engine, features)
    index = found.index if places is None else np.asarray(places)[found.index]
    return Labelled(found.features, found.labels, index, faults.reasons)


def embed_part(
    model: Classifier,
    loader: EvaluationLoader,
    engine: Engine,
    features: Features | None = None,
) -> Labelled:
    """Run a frozen model over what a loader gives; all ranks get all of it.

    Args:
        model: On the engine's device.
        loader: Images with their preprocessing.
        engine: Device and precision.
        features: Which; what the head reads where not given.

    Raises:
        UserError: Features that the model lacks, or too many unreadable images.
    """
    answers = infer(_Embedder(model, features or Features()), loader, engine)
    return Labelled(answers.logits, answers.labels, answers.index)
