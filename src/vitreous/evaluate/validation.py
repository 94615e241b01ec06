"""The two numbers that a validation during training gives."""

import math

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64, UInt8
from torch import Tensor, nn

from vitreous.data.batch import Batch
from vitreous.data.loader import EvaluationLoader
from vitreous.evaluate.classification import read_logits
from vitreous.evaluate.inference import infer, infer_rows
from vitreous.evaluate.multilabel import average_precision, binary_cross_entropy
from vitreous.parallel.device import Engine


def validate(model: nn.Module, loader: EvaluationLoader, engine: Engine) -> dict[str, float]:
    """Loss and score of a model over a part, to the last digit those of `measure`.

    Of images with one label two numbers an image are kept and told to other ranks, not its logits:
    a hundredth of ImageNet-21k has 12 GB of these. The mean average precision needs them all.

    Args:
        model: On the engine's device; put into inference mode.
        loader: Images with their preprocessing; where it shares them among ranks, all get the
            numbers over all.
        engine: Device and precision.

    Raises:
        ArithmeticError: A logit is not finite.
    """
    if loader.part.labels.ndim == 2:
        answers = infer(model, loader, engine)
        return measure(answers.logits, answers.labels)
    scores, _, _ = infer_rows(model, loader, engine, _scores)
    if np.isnan(scores).any():
        raise ArithmeticError("logits hold NaN or infinity: the model is broken, not merely wrong")
    return {"loss": float(-scores[:, 0].mean()), "accuracy": float(scores[:, 1].mean())}


def _scores(logits: Float32[Tensor, "b K"], batch: Batch) -> Float64[Tensor, "b 2"]:
    """Log-probability of the true class, and whether it is the predicted one; else NaN.

    All ranks hear of a broken one when the rows are gathered.
    """
    scores = torch.zeros(len(logits), 2, dtype=torch.float64)
    if batch.mask.any():
        try:
            said = read_logits(logits[batch.mask].numpy(), batch.labels[batch.mask].numpy())
        except ArithmeticError:
            return scores.fill_(torch.nan)
        rows = np.stack([said.log_probability, said.correct], axis=1)
        scores[batch.mask] = torch.from_numpy(rows)
    return scores


def measure(
    logits: Float[np.ndarray, "N K"], labels: Int64[np.ndarray, " N"] | UInt8[np.ndarray, "N K"]
) -> dict[str, float]:
    """Loss and score.

    Args:
        logits: One row an image, one column a class.
        labels: Class indices, or multi-hot rows.

    Returns:
        `loss` in nats, and `accuracy`; of multi-hot rows `map`, the mean average precision.

    Raises:
        ArithmeticError: A logit is not finite.
        UserError: Of multi-hot rows, no image has any class.
    """
    if labels.ndim == 2:
        precisions = average_precision(logits, labels)
        return {
            "loss": binary_cross_entropy(logits, labels),
            "map": float(np.nanmean(precisions)),
        }
    predictions = read_logits(logits, labels)
    return {
        "loss": float(-predictions.log_probability.mean()),
        "accuracy": float(predictions.correct.mean()),
    }


def validation_batch(device: torch.device, size: tuple[int, int]) -> int:
    """Images at once, the same on all ranks: many fill a GPU, where they are not too large."""
    if device.type == "cpu":
        return 128
    return min(max(512 * 224**2 // math.prod(size), 128), 512)
