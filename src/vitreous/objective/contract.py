"""What training asks of an objective: a loss and named measures from one batch."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.data.batch import Batch


@dataclass(frozen=True)
class Task:
    """A batch made ready: the model's input and what its output is held against.

    Attributes:
        images: Normalised and augmented pixels.
        targets: Probabilities per class.
    """

    images: Float[Tensor, "B C H W"]
    targets: Float[Tensor, "B K"]

    def slices(self, size: int) -> list["Task"]:
        """The same task in pieces of at most `size` images."""
        pieces = zip(self.images.split(size), self.targets.split(size), strict=True)
        return [Task(images, targets) for images, targets in pieces]


@dataclass(frozen=True)
class Outcome:
    """What one batch, or a piece of one, gave.

    Attributes:
        loss: Mean over its images, nats; with its graph.
        measures: Named means over its images, without a graph.
    """

    loss: Float[Tensor, ""]
    measures: dict[str, Float[Tensor, ""]]


@runtime_checkable
class Objective(Protocol):
    """Supervised classification, masked patches, distillation: one loop trains them all."""

    def prepare(self, batch: Batch, draw: np.random.Generator) -> Task:
        """Normalise and augment a whole batch on its device; `draw` belongs to the step."""

    def measure(self, model: nn.Module, task: Task) -> Outcome:
        """Run the model and compute the loss; called inside the engine's precision."""
