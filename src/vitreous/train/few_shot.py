"""The paper's linear few-shot accuracy on the way: how good features are while they are learnt."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from vitreous.data.loader import EvaluationLoader
from vitreous.data.sample import Dataset, Part, require_one_label
from vitreous.data.split import Subset
from vitreous.errors import UserError
from vitreous.evaluate.features import Labelled, embed_part
from vitreous.evaluate.few_shot import all_draws, few_shot
from vitreous.objective.contract import backbone_of
from vitreous.parallel.device import Engine
from vitreous.parallel.strategy import unsharded

_SEEDS = 3


def check_few_shot(dataset: Dataset, shots: int) -> None:
    """Refuse, before the first step, what no validation could measure.

    Raises:
        UserError: Several labels an image, no validation part, one class, or a class with fewer
            images.
    """
    require_one_label(dataset, "few-shot accuracy")
    if "validation" not in dataset.parts:
        raise UserError(
            f"few_shot {shots} is measured on a validation part, and there is none: give "
            "--validation_fraction, or leave it out"
        )
    all_draws(dataset.parts["train"].labels, dataset.class_names, shots, _SEEDS)


def measure_few_shot(
    trained: nn.Module,
    dataset: Dataset,
    shots: int,
    loader: Callable[[Part], EvaluationLoader],
    engine: Engine,
) -> dict[str, float]:
    """Learn from a few training images of each class, and measure on the validation part.

    The same images are drawn each time, three times over, and features are those that the head
    reads, of images that nothing has augmented. All ranks get the same.

    Args:
        trained: What a run trains, for any objective.
        dataset: With train and validation parts.
        shots: Images a class.
        loader: Gives each image of a part once.
        engine: Device and precision.

    Returns:
        `few_shot_accuracy`, the mean over three draws, and `few_shot_spread`, its deviation.

    Source: the paper's section 4.1, "Metrics"; Figures 4, 8 and 9 are made of it.
    """
    train, model = dataset.parts["train"], backbone_of(trained)
    drawn = all_draws(train.labels, dataset.class_names, shots, _SEEDS)
    with torch.inference_mode(), unsharded(trained):
        known = embed_part(model, loader(Subset([train], np.asarray(drawn, np.int64))), engine)
        asked = embed_part(model, loader(dataset.parts["validation"]), engine)
    known = Labelled(known.features, known.labels, drawn[known.index])
    (found,) = few_shot(known, asked, train.labels, dataset.class_names, [shots], seeds=_SEEDS)
    return {"few_shot_accuracy": found.mean, "few_shot_spread": found.spread}
