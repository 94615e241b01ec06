"""What speaks for one class: attention weighted by the gradient of the class's logit."""

from copy import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vitreous.analysis.rollout import with_residual
from vitreous.errors import UserError
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer


@dataclass(frozen=True)
class AttentionGradients:
    """A forward pass with its attention, and the gradient of one class's logit by it.

    Attributes:
        recording: The attention of all layers, without its graph.
        gradients: d logit / d attention, layer after layer.
        logits: Of the pass.
        classes: Whose logit it was, for each image.
    """

    recording: Recording
    gradients: tuple[Float[Tensor, "B k S S"], ...]
    logits: Float[Tensor, "B K"]
    classes: Int64[Tensor, " B"]

    def weighted(self, layer: int) -> Float[Tensor, "B S S"]:
        """Mean over heads of (gradient x attention), what is negative set to zero."""
        product = self.gradients[layer] * self.recording.attention[layer]
        return product.clamp_min(0).float().mean(1)


class AttentionGraph:
    """A forward pass that can be differentiated class after class; it holds every activation.

    Works where the parameters need no gradients too, and inside `torch.inference_mode`.

    Args:
        model: In inference mode. Gradients of its parameters are left as they are.
        images: Normalised pixels.

    Attributes:
        logits: Of the pass.

    Raises:
        UserError: The model has no head.
    """

    logits: Float[Tensor, "B K"]

    def __init__(self, model: VisionTransformer, images: Float[Tensor, "B C H W"]) -> None:
        if not model.config.num_classes:
            raise UserError("relevance is of a class, and this model has no head: load it with one")
        self._recording = Recording(attention="all")
        with torch.inference_mode(False), torch.enable_grad():
            # Leaf pixels that need gradients make a graph, whatever the parameters are.
            leaf = images.detach().clone().requires_grad_()
            self._logits = model(leaf, recording=self._recording)
        self.logits = self._logits.detach()

    def gradients(self, classes: Int64[Tensor, " B"]) -> AttentionGradients:
        """Differentiate the logit of a class, one an image, by the attention of every layer."""
        attention = self._recording.attention
        with torch.inference_mode(False), torch.enable_grad():
            # Cloned, as what was made under inference mode could not be part of a graph.
            chosen = self._logits.gather(1, classes[:, None].clone()).sum()
            found = torch.autograd.grad(chosen, list(attention.values()), retain_graph=True)
        recording = copy(self._recording)
        recording.attention = {layer: weights.detach() for layer, weights in attention.items()}
        return AttentionGradients(recording, found, self.logits, classes)


def attention_gradients(
    model: VisionTransformer,
    images: Float[Tensor, "B C H W"],
    classes: Int64[Tensor, " B"] | None = None,
) -> AttentionGradients:
    """Differentiate the logit of a class by the attention of every layer, once.

    Args:
        model: See `AttentionGraph`.
        images: Normalised pixels.
        classes: For each image; the one with the highest logit where not given.

    Raises:
        UserError: The model has no head.
    """
    graph = AttentionGraph(model, images)
    return graph.gradients(graph.logits.argmax(1) if classes is None else classes)


def class_relevance(found: AttentionGradients) -> Float[Tensor, "B S S"]:
    """Relevance of tokens for the class, gathered over all layers.

    R = I;  for each layer: R = R + A R,  A = mean over heads of max(gradient x attention, 0)

    Source: Chefer, Gur and Wolf 2021, "Generic attention-model explainability", arXiv 2103.15679,
    equations (5) and (6): self-attention alone.

    Args:
        found: Of `attention_gradients`.

    Returns:
        Row q is the relevance of each input token in token q, without unit; not negative.
    """
    relevance = _identity(found)
    for layer in range(len(found.gradients)):
        relevance = relevance + found.weighted(layer) @ relevance
    return relevance


def gradient_rollout(found: AttentionGradients) -> Float[Tensor, "B S S"]:
    """Rollout over what speaks for the class, in place of all attention.

    Each layer's A of `class_relevance` has its rows scaled to one, so that the size of the
    gradient does not matter, then takes the place of the mean over heads in the rollout. A row in
    which nothing speaks for the class passes on itself.

    Source: rollout as in arXiv 2005.00928, on the gradient-weighted attention of arXiv 2012.09838,
    section 3.2, with attention in place of propagated relevance.

    Args:
        found: Of `attention_gradients`.

    Returns:
        As `rollout`: rows sum to one.
    """
    rolled = _identity(found)
    for layer in range(len(found.gradients)):
        weighted = found.weighted(layer)
        total = weighted.sum(-1, keepdim=True)
        mixing = weighted / total.clamp_min(torch.finfo(weighted.dtype).tiny)
        rolled = with_residual(mixing) @ rolled
    return rolled


def _identity(found: AttentionGradients) -> Float[Tensor, "B S S"]:
    batch, _, tokens, _ = found.gradients[0].shape
    device = found.gradients[0].device
    return torch.eye(tokens, device=device).expand(batch, tokens, tokens)
