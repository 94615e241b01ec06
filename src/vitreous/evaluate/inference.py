"""A model over a whole part, each image exactly once."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import nn

from vitreous.data.batch import normalise
from vitreous.data.loader import EvaluationLoader
from vitreous.parallel.collect import gather_rows
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

    Where the loader shares the part among ranks, each rank runs its own batches and all get all
    answers.

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
        rows.append((logits.float().cpu(), batch.labels, batch.index, batch.mask))
    columns = [torch.cat(column) for column in zip(*rows, strict=True)]
    if loader.world_size > 1:
        columns = [gather_rows(column) for column in columns]
    logits, labels, index, mask = (column.numpy() for column in columns)
    kept = np.flatnonzero(mask)
    kept = kept[np.argsort(index[kept], kind="stable")]
    return Inference(logits[kept], labels[kept], index[kept])
