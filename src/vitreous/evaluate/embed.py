"""Features of whole data sets, to Parquet, a few thousand images in memory at a time."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from vitreous.data.batch import normalise
from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader
from vitreous.data.recoloured import in_channels_of
from vitreous.data.sample import Dataset, require_one_label
from vitreous.durable import write_durably
from vitreous.errors import UserError
from vitreous.model.classifier import Classifier
from vitreous.model.vit import VisionTransformer
from vitreous.parallel.device import Engine
from vitreous.weights.passport import passport_of

if TYPE_CHECKING:
    import pyarrow

Pool = Literal["head", "token", "mean"]

ROWS = 4096
"""Images in a row group; the features of no more are held."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """Which features of an image.

    Attributes:
        pool: `head`: what the head reads; `token`: the class token; `mean`: the mean of the
            patches.
        layer: After which block, from the end where negative; of `token` and `mean`.
        norm: Whether they go through the final layer norm.
    """

    pool: Pool = "head"
    layer: int = -1
    norm: bool = True

    def of(self, model: Classifier, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B R"]:
        """Compute them.

        Raises:
            UserError: The model lacks the layer, the class token or tokens at all.
        """
        if self.pool == "head":
            return model.embed(images)
        if not isinstance(model, VisionTransformer):
            raise UserError(f"{model.config.name} has no tokens: take what its head reads")
        if self.pool == "token" and not model.config.class_token:
            raise UserError("this model has no class token: pool by mean")
        norm = self.norm and model.config.final_norm == "tokens"
        (tokens,) = model.features(images, [self.layer], as_grid=False, norm=norm)
        return tokens[:, 0] if self.pool == "token" else tokens[:, model.config.prefix :].mean(1)


@dataclass(frozen=True)
class Embedding:
    """What was written.

    Attributes:
        file: The Parquet file.
        images: By part.
        width: Numbers of each image.
        skipped: Unreadable images and why, by name.
    """

    file: Path
    images: dict[str, int]
    width: int
    skipped: dict[str, str]


def embed_dataset(
    model: Classifier,
    dataset: Dataset,
    file: Path,
    engine: Engine,
    *,
    parts: Iterable[str] = (),
    features: Features | None = None,
    batch_size: int = 64,
    bad_limit: float = 0.01,
    advance: Callable[[int], None] = lambda images: None,
) -> Embedding:
    """Write features, labels and names; the file is complete or absent.

    Columns: `features` (a list of fixed size, float32), `label` (int64) and `label_name` (both null
    where the set has no labels), `name` (of the image inside its data set) and `part`. The schema's
    metadata says under `vitreous` which model and features they are, in JSON.

    Args:
        model: With its passport; moved to the engine's device.
        dataset: Its labels are kept as they are: classes need not be the model's.
        file: New, a .parquet file.
        engine: Device and precision.
        parts: All where none is given.
        features: Which; what the head reads where not given.
        batch_size: Images at once; changes no more than rounding.
        bad_limit: Share of unreadable images over which it stops.
        advance: Told how many images were done.

    Raises:
        UserError: pyarrow is not installed, the file exists or cannot be written, no such part,
            arrays of other channels than the model's, features that the model lacks, or too many
            unreadable images.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise UserError(
            "Parquet files need pyarrow: pip install -c constraints.txt 'vitreous[parquet]'"
        ) from error
    if file.exists():
        raise UserError(f"{file} exists: choose another")
    chosen = tuple(parts) or tuple(dataset.parts)
    for part in chosen:
        if part not in dataset.parts:
            raise UserError(
                f"{dataset.address} has no part {part!r}: it has {', '.join(dataset.parts)}"
            )
    require_one_label(dataset, "a column of labels")
    passport, features = passport_of(model), features or Features()
    dataset = in_channels_of(passport.preprocessing, dataset)
    model = model.to(engine.device).eval()
    blank = torch.zeros(1, model.config.channels, *passport.preprocessing.size)
    with torch.inference_mode():
        width = features.of(model, blank.to(engine.device)).shape[1]
    origin = {
        "model": passport.architecture.name,
        "origin": passport.origin,
        "data": dataset.address,
        "features": vars(features),
    }
    schema = _schema(width, origin)
    images: dict[str, int] = {}
    skipped: dict[str, str] = {}

    def write(aside: Path) -> None:
        with parquet.ParquetWriter(aside, schema) as writer:
            for part in chosen:
                stored, rule = dataset.parts[part], passport.preprocessing
                faults = Faults(len(stored.labels), bad_limit)
                loader = EvaluationLoader(stored, rule, batch_size=batch_size, faults=faults)
                images[part] = 0
                for rows, index in _groups(_infer(model, loader, features, engine, advance)):
                    writer.write_batch(_group(schema, dataset, part, rows, index))
                    images[part] += len(index)
                skipped.update(faults.reasons)

    write_durably(file, write)
    return Embedding(file, images, width, skipped)


Rows = tuple[Float32[np.ndarray, "_ D"], np.ndarray]  # features, and places in the part


def _infer(
    model: Classifier,
    loader: EvaluationLoader,
    features: Features,
    engine: Engine,
    advance: Callable[[int], None],
) -> Iterator[Rows]:
    for batch in loader:
        with torch.inference_mode(), engine.autocast():
            images = normalise(batch.images.to(engine.device, non_blocking=True), loader.rule)
            found = features.of(model, images)
        kept = batch.mask.numpy()
        yield found.float().cpu().numpy()[kept], batch.index.numpy()[kept]
        advance(int((batch.index >= 0).sum()))


def _groups(batches: Iterator[Rows]) -> Iterator[Rows]:
    """Batches joined to row groups."""
    waiting: list[Rows] = []
    for rows in batches:
        waiting.append(rows)
        if sum(len(index) for _, index in waiting) >= ROWS:
            yield _joined(waiting)
            waiting = []
    if any(len(index) for _, index in waiting):
        yield _joined(waiting)


def _joined(batches: list[Rows]) -> Rows:
    found, index = zip(*batches, strict=True)
    return np.concatenate(found), np.concatenate(index)


def _schema(width: int, origin: dict[str, Any]) -> "pyarrow.Schema":
    import pyarrow

    return pyarrow.schema(
        [
            ("features", pyarrow.list_(pyarrow.float32(), width)),
            ("label", pyarrow.int64()),
            ("label_name", pyarrow.string()),
            ("name", pyarrow.string()),
            ("part", pyarrow.string()),
        ],
        metadata={"vitreous": json.dumps(origin)},
    )


def _group(
    schema: "pyarrow.Schema", dataset: Dataset, part: str, rows: np.ndarray, index: np.ndarray
) -> "pyarrow.RecordBatch":
    import pyarrow

    images = dataset.parts[part]
    labels = images.labels[index]
    columns = [
        pyarrow.FixedSizeListArray.from_arrays(rows.reshape(-1), rows.shape[1]),
        [None] * len(labels) if dataset.reading.doubt else labels,
        [None if dataset.reading.doubt else _text(dataset.class_names[label]) for label in labels],
        [_text(images.names[place]) for place in index],
        [part] * len(index),
    ]
    arrays = [
        column if isinstance(column, pyarrow.Array) else pyarrow.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)


def _text(name: str) -> str:
    r"""A name in UTF-8, all that Parquet holds; bytes in another code become `\udcXX`."""
    return name.encode("utf-8", "backslashreplace").decode()
