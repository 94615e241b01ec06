"""Supervised classification with softmax cross-entropy on hard, smoothed or mixed labels."""

import numpy as np
import torch
from torch import nn
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

    Args:
        num_classes: K.
        rule: Normalisation.
        augmentation: What happens to whole batches: movement, colour, erasing, mixup and
            cutmix.
        label_smoothing: Share of each target that is spread over all classes evenly
            (Szegedy et al. 2016, arXiv 1512.00567, section 7).
    """

    def __init__(
        self,
        num_classes: int,
        rule: Preprocessing,
        augmentation: Augmentation,
        label_smoothing: float = 0.0,
    ) -> None:
        self.num_classes = num_classes
        self.rule = rule
        self.augmentation = augmentation
        self.label_smoothing = label_smoothing

    def learner(self, model: Classifier) -> Classifier:
        """The model itself."""
        return model

    def prepare(self, batch: Batch, draw: np.random.Generator) -> Task:
        """Colour, normalise, move, erase and mix."""
        images = augment(batch, self.rule, draw)
        targets = F.one_hot(batch.labels, self.num_classes).float()
        if self.label_smoothing:
            even = torch.full_like(targets, 1 / self.num_classes)
            targets = targets.lerp(even, self.label_smoothing)
        return Task(*mix(images, targets, self.augmentation, draw))

    def measure(self, model: nn.Module, task: Task) -> Outcome:
        """Cross-entropy, and the share of images whose largest target is the arg max."""
        logits = model(task.images).float()
        loss = F.cross_entropy(logits, task.targets)
        right = logits.detach().argmax(1) == task.targets.argmax(1)
        return Outcome(loss, {"accuracy": right.float().mean()})
