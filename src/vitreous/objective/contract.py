"""What the training loop asks of an objective: from one batch, a loss and named measures."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol, Self, cast, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.data.batch import Batch
from vitreous.model.classifier import Classifier


@dataclass(frozen=True)
class Task:
    """A batch made ready: the model's input and what its output is held against.

    Attributes:
        images: Normalised and augmented pixels.
        targets: Probabilities per class; other objectives have others.
    """

    images: Float[Tensor, "B C H W"]
    targets: Float[Tensor, "B K"]

    def slices(self, size: int) -> list[Self]:
        """The same task in pieces of at most `size` images, as even as they go.

        BatchNorm takes its statistics of a piece: none is much smaller than the others.
        """
        pieces = -(-len(self.images) // size)
        columns = (getattr(self, field.name).tensor_split(pieces) for field in fields(self))
        return [type(self)(*piece) for piece in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Outcome:
    """What one batch, or a piece of one, gave.

    Attributes:
        loss: Mean over its images; with its graph.
        measures: Named means over its images, without a graph.
    """

    loss: Float[Tensor, ""]
    measures: dict[str, Float[Tensor, ""]]


class Learner(nn.Module):
    """A model with what an objective trains beside it, such as a decoder.

    Attributes:
        backbone: The model, which alone is handed over in the end.
    """

    backbone: Classifier

    def __init__(self, backbone: Classifier) -> None:
        super().__init__()
        self.backbone = backbone

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """Parts that follow one another and can be sharded, recomputed and compiled one by one."""
        return self.backbone.blocks


Trained = Classifier | Learner
"""What a run trains."""


def backbone_of(trained: nn.Module) -> Classifier:
    """The model in what a run trains: a learner's backbone, or all of it."""
    return cast(Classifier, trained.backbone if isinstance(trained, Learner) else trained)


@runtime_checkable
class Objective(Protocol):
    """Supervised classification, masked patches, distillation: one loop trains them all."""

    def learner(self, model: Classifier) -> Trained:
        """What is trained: the model, or a `Learner` around it."""

    def prepare(self, batch: Batch, draw: np.random.Generator) -> Task:
        """Normalise and augment a whole batch on its device; `draw` belongs to the step."""

    def measure(self, model: nn.Module, task: Task) -> Outcome:
        """Run what is trained and compute the loss; called inside the engine's precision."""
