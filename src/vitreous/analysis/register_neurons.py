"""Artifacts taken off the patches after training: the neurons that make them, and a register."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vitreous.analysis.attention import read_by_head
from vitreous.analysis.tokens import artifact_tokens, patch_tokens, token_norms
from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer

_TRIED = (1, 2, 3, 5, 10, 20, 50, 100)
_GONE = 0.1  # of the artifacts, which may be left


@dataclass(frozen=True)
class Neuron:
    """A neuron of an MLP's hidden layer.

    Attributes:
        layer: Counted from 0.
        index: Its place in the hidden layer.
        artifacts: Mean activation at the patches that are artifacts.
        others: At all other patches.
    """

    layer: int
    index: int
    artifacts: float
    others: float


@dataclass(frozen=True)
class Lengths:
    """How far the patches' tokens stand out, layer by layer.

    Attributes:
        share: Share of the patches that are artifacts; see `artifact_tokens`.
        longest: The longest token over the median of its image; a mean over images.
        entropy: Of the last layer's attention as the head reads it, over the patches; nats. Low
            where a few of them take all of it.
    """

    share: Float[Tensor, " L"]
    longest: Float[Tensor, " L"]
    entropy: float


@dataclass(frozen=True)
class Remedy:
    """A model with a register that takes the artifacts, and what that did.

    Attributes:
        model: A copy, with one register more.
        neurons: Whose activation the register takes.
        before: Of the model as it was.
        after: With the register.
        agreement: Share of the images whose most probable class stayed; None without a head.
    """

    model: VisionTransformer
    neurons: tuple[Neuron, ...]
    before: Lengths
    after: Lengths
    agreement: float | None

    @property
    def works(self) -> bool:
        """Whether at most a tenth of the artifacts is left, in the layer that has most."""
        return bool(self.after.share.max() <= _GONE * self.before.share.max())


@torch.inference_mode()
def find_remedy(model: VisionTransformer, images: Float[Tensor, "B C H W"]) -> Remedy | None:
    """Find the neurons that make artifacts, and move as few of them as it takes to a register.

    Of 1, 2, 3, 5, ... 100 of the neurons that `find_register_neurons` puts first, the fewest that
    leave at most a tenth of the artifacts; where none do, those that leave the fewest.

    Source: Jiang et al. 2025, "Vision Transformers don't need trained registers", arXiv 2506.08010,
    where the number of neurons is chosen by hand for each model.

    Args:
        model: In inference mode, without registers; left as it is.
        images: Normalised pixels; a few dozen are enough.

    Returns:
        None where no token is an artifact.

    Raises:
        UserError: The model has registers already.
    """
    before, flagged = _lengths(model, images)
    if not before.share.any():
        return None
    found = find_register_neurons(model, images, flagged, limit=_TRIED[-1])
    best: Remedy | None = None
    for count in _TRIED:
        if count > len(found):
            break
        chosen = found[:count]
        changed = with_test_time_register(model, [(n.layer, n.index) for n in chosen])
        after, _ = _lengths(changed, images)
        tried = Remedy(changed, chosen, before, after, _agreement(model, changed, images))
        if best is None or after.share.max() < best.after.share.max():
            best = tried
        if best.works:
            break
    return best


def find_register_neurons(
    model: VisionTransformer,
    images: Float[Tensor, "B C H W"],
    flagged: Bool[Tensor, "L B N"],
    limit: int = 100,
) -> tuple[Neuron, ...]:
    """The neurons that are on where artifacts are, and off elsewhere.

    Looked for in the layers up to the one after which at least half of the artifacts are there,
    which must have been made by then. In order of the mean activation at the artifacts less that
    at all other patches, so that neurons that are always on do not come first.

    Source: arXiv 2506.08010, algorithm 1, which takes the first of these means alone.

    Args:
        model: In inference mode.
        images: Normalised pixels.
        flagged: Which patches are artifacts after each layer; some are.
        limit: At most so many.
    """
    counts = flagged.sum((1, 2))
    worst = int(counts.argmax())
    onset = int((2 * counts >= counts[worst]).nonzero()[0])
    at_artifacts = flagged[worst]
    means: list[tuple[Tensor, Tensor]] = []

    def each(recording: Recording, layer: int) -> None:
        neurons = recording.neurons[layer][:, recording.prefix :].float()
        means.append((neurons[at_artifacts].mean(0), neurons[~at_artifacts].mean(0)))

    with torch.inference_mode():
        model(images, recording=Recording(neurons=range(onset + 1), each=each))
    there, elsewhere = (torch.stack(column) for column in zip(*means, strict=True))
    difference = (there - elsewhere).flatten()
    order = difference.argsort(descending=True)[:limit]
    width = there.shape[1]
    return tuple(
        Neuron(
            place // width,
            place % width,
            float(there.flatten()[place]),
            float(elsewhere.flatten()[place]),
        )
        for place in order.tolist()
        if difference[place] > 0
    )


def with_test_time_register(
    model: VisionTransformer, neurons: list[tuple[int, int]]
) -> VisionTransformer:
    """A copy whose neurons give their activation to a register that starts at zero.

    Args:
        model: Without registers.
        neurons: As (layer, neuron).

    Raises:
        UserError: The model has registers already.
    """
    config = model.config
    if config.registers:
        raise UserError(
            f"this model has trained registers ({config.registers}): a test-time register is for "
            "models without"
        )
    changed = replace(
        config, registers=1, register_positions=False, register_neurons=tuple(neurons)
    )
    copy = empty_model(changed)
    tensors = dict(model.state_dict())
    weight = next(model.parameters())
    tensors["registers"] = torch.zeros(1, config.width, dtype=weight.dtype, device=weight.device)
    copy.load_state_dict(tensors, assign=True)
    assert isinstance(copy, VisionTransformer)
    return copy.train(model.training)


def _lengths(
    model: VisionTransformer, images: Float[Tensor, "B C H W"]
) -> tuple[Lengths, Bool[Tensor, "L B N"]]:
    shares, longest, flagged = list[Tensor](), list[Tensor](), list[Tensor]()
    last, entropy = model.config.depth - 1, 0.0

    def each(recording: Recording, layer: int) -> None:
        nonlocal entropy
        norms = token_norms(patch_tokens(recording, layer))
        flagged.append(artifact_tokens(norms))
        shares.append(flagged[-1].float().mean())
        longest.append((norms.amax(1) / norms.median(1).values).mean())
        if layer == last:
            weights = recording.attention[layer].float().mean(1)
            rows = read_by_head(weights, recording.grid, recording.prefix, model.config.pooling)
            rows = rows.flatten(1)
            rows = rows / rows.sum(1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
            entropy = float(torch.special.entr(rows).sum(1).mean())

    with torch.inference_mode():
        model(images, recording=Recording(tokens="all", attention=[last], each=each))
    found = Lengths(torch.stack(shares).cpu(), torch.stack(longest).cpu(), entropy)
    return found, torch.stack(flagged)


def _agreement(
    model: VisionTransformer, changed: VisionTransformer, images: Float[Tensor, "B C H W"]
) -> float | None:
    if not model.config.num_classes:
        return None
    first, second = (m(images).argmax(1) for m in (model, changed))
    return float((first == second).float().mean())
