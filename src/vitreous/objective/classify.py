"""Supervised classification of images of one class, on hard, smoothed or mixed labels."""

from typing import Literal

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


class Classification:
    """Cross-entropy against label probabilities (paper, section 4.1 fine-tunes so).

    With `sigmoid` each class is a yes or no of its own: binary cross-entropy, summed over the
    classes, as the paper's pretraining (google-research/vision_transformer, issue 34) and DeiT III
    (arXiv 2204.07118, section 3.3, there the mean over classes) have it.

    Args:
        num_classes: K.
        rule: Normalisation.
        augmentation: What happens to whole batches: movement, colour, erasing, mixup and
            cutmix.
        label_smoothing: Share of each target that is spread over all classes evenly
            (Szegedy et al. 2016, arXiv 1512.00567, section 7); with `sigmoid`, share of each yes
            and no that is moved to the middle between them: half of it goes to the other.
        loss: `softmax` or `sigmoid`.
        class_weights: (K,), what the loss of a class's images is multiplied by; 1 where None.
    """

    def __init__(
        self,
        num_classes: int,
        rule: Preprocessing,
        augmentation: Augmentation,
        label_smoothing: float = 0.0,
        loss: Literal["softmax", "sigmoid"] = "softmax",
        class_weights: Float[Tensor, " K"] | None = None,
    ) -> None:
        self.num_classes = num_classes
        self.rule = rule
        self.augmentation = augmentation
        self.label_smoothing = label_smoothing
        self.loss = loss
        self.answers = 2 if loss == "sigmoid" else num_classes  # among which a target chooses
        self.class_weights = class_weights

    def learner(self, model: Classifier) -> Classifier:
        """The model itself."""
        return model

    def prepare(self, batch: Batch, draw: np.random.Generator) -> Task:
        """Colour, normalise, move, erase and mix."""
        images = augment(batch, self.rule, draw)
        targets = F.one_hot(batch.labels, self.num_classes).float()
        if self.label_smoothing:
            even = torch.full_like(targets, 1 / self.answers)
            targets = targets.lerp(even, self.label_smoothing)
        return Task(*mix(images, targets, self.augmentation, draw))

    def measure(self, model: nn.Module, task: Task) -> Outcome:
        """The loss, and the share of images whose largest target is the arg max."""
        logits = model(task.images).float()
        right = logits.detach().argmax(1) == task.targets.argmax(1)
        return Outcome(self.criterion(logits, task.targets), {"accuracy": right.float().mean()})

    def criterion(
        self, logits: Float[Tensor, "B K"], targets: Float[Tensor, "B K"]
    ) -> Float[Tensor, ""]:
        """The loss of float32 logits, mean over images, each as heavy as its classes are.

        Args:
            logits: Of the model.
            targets: As `prepare` made them: smoothed, and mixed.
        """
        if self.loss == "softmax":
            losses = F.cross_entropy(logits, targets, reduction="none")
        else:
            terms = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
            losses = terms.sum(1)
        if self.class_weights is not None:
            self.class_weights = self.class_weights.to(logits.device)  # once: the host waits
            losses = losses * self._image_weights(targets, self.class_weights)
        return losses.mean()

    def _image_weights(
        self, targets: Float[Tensor, "B K"], class_weights: Float[Tensor, " K"]
    ) -> Float[Tensor, " B"]:
        """The mean of its classes' weights by their shares in an image, before smoothing.

        Weights of single terms would move the optimum: what smoothing gives to a rare class would
        outweigh a clear image's own.
        """
        smoothed = targets @ class_weights
        even = class_weights.sum() / self.answers
        return (smoothed - self.label_smoothing * even) / (1 - self.label_smoothing)
