"""A model over a whole part, each image exactly once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64, Real, UInt8
from torch import Tensor, nn

from vitreous.data.batch import Batch, normalise
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


def infer(model: nn.Module, loader: EvaluationLoader, engine: Engine) -> Inference:
    """Run a model over a part; rows that only fill a batch up are dropped.

    Where the loader shares the part among ranks, each rank runs its own batches and all get all
    answers.

    Args:
        model: On the engine's device; put into inference mode.
        loader: Images with their preprocessing.
        engine: Device and precision.
    """
    return Inference(*infer_rows(model, loader, engine, lambda logits, _: logits))


@torch.inference_mode()
def infer_rows(
    model: nn.Module,
    loader: EvaluationLoader,
    engine: Engine,
    read: Callable[[Float32[Tensor, "b K"], Batch], Real[Tensor, "b F"]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `infer`, where only what is read off the logits of each batch is kept.

    Args:
        model: On the engine's device; put into inference mode.
        loader: Images with their preprocessing.
        engine: Device and precision.
        read: Gives a row for each image of a batch, those of no account (`mask`) too. On some ranks
            only it must not raise: the others would wait.

    Returns:
        What was read, labels and index, a row an image, in the part's order.
    """
    model.eval()
    rows = []
    for batch in loader:
        images = normalise(batch.images.to(engine.device, non_blocking=True), loader.rule)
        with engine.autocast():
            logits = model(images)
        said = read(logits.float().cpu(), batch)
        rows.append((said, batch.labels, batch.index, batch.mask))
    columns = [torch.cat(column) for column in zip(*rows, strict=True)]
    if loader.world_size > 1:
        columns = [gather_rows(column) for column in columns]
    told, labels, index, mask = (column.numpy() for column in columns)
    kept = np.flatnonzero(mask)
    kept = kept[np.argsort(index[kept], kind="stable")]
    return told[kept], labels[kept], index[kept]
