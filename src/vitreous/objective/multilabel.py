"""Supervised classification of images that have any number of classes."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import Batch
from vitreous.data.mixing import mix
from vitreous.data.preprocessing import Preprocessing
from vitreous.model.classifier import Classifier
from vitreous.objective.augment import augment
from vitreous.objective.contract import Outcome, Task


class MultiLabel:
    """Binary cross-entropy of each class, summed over the classes, mean over the images.

    Args:
        rule: Normalisation.
        augmentation: What happens to whole batches; mixed images have the shares of both.
        label_smoothing: Share of each yes and no that is moved to the middle between them.
        presence_weights: (K,), what a class's presence counts against its absence; 1 where None.
    """

    def __init__(
        self,
        rule: Preprocessing,
        augmentation: Augmentation,
        label_smoothing: float = 0.0,
        presence_weights: Float[Tensor, " K"] | None = None,
    ) -> None:
        self.rule = rule
        self.augmentation = augmentation
        self.label_smoothing = label_smoothing
        self.presence_weights = presence_weights

    def learner(self, model: Classifier) -> Classifier:
        """The model itself."""
        return model

    def prepare(self, batch: Batch, draw: np.random.Generator) -> Task:
        """Colour, normalise, move, erase and mix."""
        images = augment(batch, self.rule, draw)
        targets = batch.labels.float()
        if self.label_smoothing:
            targets = targets.lerp(torch.full_like(targets, 0.5), self.label_smoothing)
        return Task(*mix(images, targets, self.augmentation, draw))

    def measure(self, model: nn.Module, task: Task) -> Outcome:
        """The loss, and the share of yes and no that is right at a probability of 1/2."""
        logits = model(task.images).float()
        terms = F.binary_cross_entropy_with_logits(
            logits, task.targets, self._term_weights(task.targets), reduction="sum"
        )
        right = (logits.detach() > 0) == (task.targets > 0.5)
        return Outcome(terms / len(logits), {"label_accuracy": right.float().mean()})

    def _term_weights(self, targets: Float[Tensor, "B K"]) -> Float[Tensor, "B K"] | None:
        """A presence's weight in the share that it had before smoothing, and 1 in the rest.

        Weights of what smoothing has made of a no would turn it into a yes.
        """
        if self.presence_weights is None:
            return None
        present = (targets - self.label_smoothing / 2) / (1 - self.label_smoothing)
        self.presence_weights = self.presence_weights.to(targets.device)  # once: the host waits
        return 1 + (self.presence_weights - 1) * present
