"""One pass over a data set: everything that is a mean over images, layer by layer."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Bool
from torch import Tensor

from vitreous.analysis.distance import Patch, attention_distance
from vitreous.analysis.entropy import attention_entropy
from vitreous.analysis.spread import Spread
from vitreous.analysis.tokens import artifact_tokens, effective_rank, patch_tokens, token_norms
from vitreous.data.batch import normalise
from vitreous.data.loader import EvaluationLoader
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer
from vitreous.parallel.device import Engine

# Singular values cost more than all else together: one image in so many is enough for a mean.
_RANKED = 4


class Survey:
    """Means and spreads over images of what each layer does.

    Attributes:
        patch: Side of a patch, pixels, or (height, width).
        grid: (h, w) of the images.
        tokens: S, in the sequence.
        distance: Mean attention distance (k,) by layer, pixels; see `attention_distance`.
        entropy: Entropy of attention (k,) by layer, nats; see `attention_entropy`.
        norm: Length of the patch tokens, a mean over patches, by layer.
        rank: Effective rank of the patch tokens by layer, of one image in four.
        artifacts: Share of patches that are artifacts by layer; see `artifact_tokens`.
    """

    def __init__(self, patch: Patch) -> None:
        self.patch = patch
        self.grid = (0, 0)
        self.tokens = 0
        self.distance: defaultdict[int, Spread] = defaultdict(Spread)
        self.entropy: defaultdict[int, Spread] = defaultdict(Spread)
        self.norm: defaultdict[int, Spread] = defaultdict(Spread)
        self.rank: defaultdict[int, Spread] = defaultdict(Spread)
        self.artifacts: defaultdict[int, Spread] = defaultdict(Spread)

    @property
    def count(self) -> int:
        """Images so far."""
        return self.norm[0].count

    def recording(self, mask: Bool[Tensor, " B"] | None = None) -> Recording:
        """A recording that feeds this survey during the next pass, layer by layer.

        Args:
            mask: Images that count; all where not given.
        """
        return Recording(attention="all", tokens="all", each=partial(self.add, mask=mask))

    def add(self, recording: Recording, layer: int, mask: Bool[Tensor, " B"] | None = None) -> None:
        """Take in one layer of one batch."""
        kept = slice(None) if mask is None else mask
        self.grid, self.tokens = recording.grid, recording.tokens[layer].shape[1]
        self.distance[layer].add(attention_distance(recording, layer, self.patch)[kept])
        self.entropy[layer].add(attention_entropy(recording, layer)[kept])
        tokens = patch_tokens(recording, layer)[kept]
        norms = token_norms(tokens)
        self.norm[layer].add(norms.mean(1))
        self.artifacts[layer].add(artifact_tokens(norms).float().mean(1))
        self.rank[layer].add(effective_rank(tokens[::_RANKED]))


@torch.inference_mode()
def survey(
    model: VisionTransformer,
    loader: EvaluationLoader,
    engine: Engine,
    advance: Callable[[int], None] | None = None,
) -> Survey:
    """Look into a model on every image of a part, in one pass and the memory of one batch.

    Args:
        model: On the engine's device; put into inference mode.
        loader: Images with their preprocessing.
        engine: Device and precision.
        advance: Told how many images are done, after each batch.
    """
    model.eval()
    found = Survey(model.config.patch)
    for batch in loader:
        images = normalise(batch.images.to(engine.device, non_blocking=True), loader.rule)
        mask = batch.mask.to(engine.device)
        with engine.autocast():
            model(images, recording=found.recording(mask))
        if advance is not None:
            advance(int(batch.mask.sum()))
    return found
