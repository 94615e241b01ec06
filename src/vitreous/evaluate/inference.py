"""A model over a whole part, each image exactly once."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import nn

from vitreous.data.batch import normalise
from vitreous.data.loader import EvaluationLoader
from vitreous.parallel.device import Engine


@dataclass(frozen=True)
class Inference:
    """Answers to every image that could be read.

    Attributes:
        logits: One row per image.
        labels: What the data says, in the data's label order.
        index: Position of each image in its part.
    """

    logits: Float32[np.ndarray, "N K"]
    labels: Int64[np.ndarray, " N"] | UInt8[np.ndarray, "N K"]
    index: Int64[np.ndarray, " N"]


@torch.inference_mode()
def infer(model: nn.Module, loader: EvaluationLoader, engine: Engine) -> Inference:
    """Run a model over a part; rows that only fill a batch up are dropped.

    Args:
        model: On the engine's device; put into inference mode.
        loader: Images with their preprocessing.
        engine: Device and precision.
    """
    model.eval()
    rows = []
    for batch in loader:
        images = normalise(batch.images.to(engine.device, non_blocking=True), loader.rule)
        with engine.autocast():
            logits = model(images)
        kept = batch.mask.numpy()
        rows.append((logits.float().cpu().numpy()[kept], batch.labels[kept], batch.index[kept]))
    logits, labels, index = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Inference(logits, labels, index)
