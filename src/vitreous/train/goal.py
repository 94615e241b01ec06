"""What a run trains for: the objective that its config and its labels ask for."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.data.sample import Dataset, Labels
from vitreous.objective.classify import Classification
from vitreous.objective.contract import Objective
from vitreous.objective.multilabel import MultiLabel
from vitreous.train.config import TrainConfig

# A class that is nearly never, or nearly always, there is not weighted more than this.
_MOST = 100.0


def choose_objective(config: TrainConfig, dataset: Dataset) -> Objective:
    """Classification into one class or into several, by the labels of the data.

    Args:
        config: Gives loss, weights, smoothing and augmentation.
        dataset: With a train part.
    """
    labels, classes = dataset.parts["train"].labels, dataset.num_classes
    weights = class_weights(labels, classes) if config.class_weights == "auto" else None
    if dataset.multi_label:
        return MultiLabel(
            config.preprocessing, config.augmentation, config.label_smoothing, weights
        )
    return Classification(
        config.model.num_classes,
        config.preprocessing,
        config.augmentation,
        config.label_smoothing,
        config.loss,
        weights,
    )


def class_weights(labels: Labels, num_classes: int) -> Float[Tensor, " K"]:
    """Weights in inverse proportion to how often a class occurs; at most 100.

    n / (K n_c) of class indices, whose mean over the images is 1; of multi-hot rows, the images
    without a class for each image with it. 1 for a class that no image has.

    Args:
        labels: Of the training images.
        num_classes: K.
    """
    if labels.ndim == 2:
        present = labels.sum(0, dtype=np.int64)
        weights = (len(labels) - present) / np.maximum(present, 1)
    else:
        present = np.bincount(labels, minlength=num_classes)
        weights = len(labels) / (np.count_nonzero(present) * np.maximum(present, 1))
    weights = np.where(present > 0, np.clip(weights, 1 / _MOST, _MOST), 1.0)
    return torch.from_numpy(weights).float()
