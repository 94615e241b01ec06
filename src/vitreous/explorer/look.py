"""One image as one model sees it: a single pass, and all that later questions are cut out of."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vitreous.analysis.attention import read_by_head
from vitreous.analysis.distance import attention_distance
from vitreous.analysis.rollout import follow
from vitreous.analysis.token_attention import log_normalisers
from vitreous.data.batch import normalise
from vitreous.data.decode import Pixels
from vitreous.data.transform import fit_for_test
from vitreous.explorer.subject import Subject
from vitreous.model.probability import probabilities
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer


@dataclass(frozen=True)
class Inside:
    """What a look keeps of the attention: as much memory as queries and keys take, no maps.

    Attributes:
        queries: Of all layers, float32.
        keys: Of all layers, float32.
        normalisers: See `vitreous.analysis.token_attention`.
        distance: Mean attention distance of each head, pixels.
        rollout: What the head reads of the attention rollout.
    """

    queries: Float[Tensor, "L k S d"]
    keys: Float[Tensor, "L k S d"]
    normalisers: Float[Tensor, "L k S"]
    distance: Float[Tensor, "L k"]
    rollout: Float[Tensor, "h w"]


@dataclass(frozen=True)
class Look:
    """One image, seen.

    Attributes:
        seen: Pixels as the model saw them.
        image: The same, normalised, on the model's device.
        probabilities: Of the classes; None for a model without a head.
        inside: None for a model without attention.
        maps: Maps of classes that were asked for, by class.
    """

    seen: UInt8[np.ndarray, "H W C"]
    image: Float[Tensor, "1 C H W"]
    probabilities: Float[Tensor, " K"] | None
    inside: Inside | None
    maps: dict[int, Float[Tensor, "h w"]] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Memory it takes, but for the maps, which are small."""
        kept = [self.image]
        if self.inside is not None:
            kept += [self.inside.queries, self.inside.keys, self.inside.normalisers]
        return self.seen.nbytes + sum(tensor.nbytes for tensor in kept)


def look_at(subject: Subject, pixels: Pixels) -> Look:
    """Look at an image, in one pass.

    Args:
        subject: The model.
        pixels: Decoded, with the model's channels.
    """
    return look_at_fitted(subject, fit_for_test(pixels, subject.passport.preprocessing))


def look_at_fitted(subject: Subject, fitted: UInt8[Tensor, "C H W"]) -> Look:
    """Look at an image of the model's own size, as `fit_for_test` gives it."""
    image = normalise(fitted[None].to(subject.engine.device), subject.passport.preprocessing)
    logits, inside = _pass(subject, image)
    shares = probabilities(logits, subject.passport.multi_label)[0].cpu()
    return Look(
        seen=np.ascontiguousarray(fitted.permute(1, 2, 0).numpy()),
        image=image,
        probabilities=shares if subject.passport.class_names else None,
        inside=inside,
    )


@torch.inference_mode()
def _pass(subject: Subject, image: Tensor) -> tuple[Tensor, Inside | None]:
    if subject.transformer is None:
        with subject.engine.autocast():
            return subject.model(image), None
    gathered = _Gathered(subject.transformer)
    recording = Recording(attention="all", queries="all", keys="all", each=gathered.add)
    with subject.engine.autocast():
        logits = subject.model(image, recording=recording)
    return logits, gathered.inside()


class _Gathered:
    """Takes in layer after layer, so that only one layer's attention is there at a time."""

    def __init__(self, model: VisionTransformer) -> None:
        self.model = model
        self.rolled: Tensor | None = None
        self.layers: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def add(self, recording: Recording, layer: int) -> None:
        queries, keys = recording.queries[layer][0].float(), recording.keys[layer][0].float()
        distance = attention_distance(recording, layer, self.model.config.patch)[0]
        self.rolled = follow(self.rolled, recording.attention[layer])
        self.grid, self.prefix = recording.grid, recording.prefix
        # Copied, as both are views of a tensor that holds the values too.
        kept = (queries.clone(), keys.clone(), log_normalisers(queries, keys), distance)
        self.layers.append(kept)

    def inside(self) -> Inside:
        queries, keys, normalisers, distance = map(torch.stack, zip(*self.layers, strict=True))
        assert self.rolled is not None
        pooling = self.model.config.pooling
        rollout = read_by_head(self.rolled, self.grid, self.prefix, pooling)[0]
        return Inside(queries, keys, normalisers, distance, rollout)
