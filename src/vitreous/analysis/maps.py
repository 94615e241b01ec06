"""The heat-maps of one image, all from one pass forward and back."""

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.analysis.attention import head_attention, read_by_head
from vitreous.analysis.relevance import attention_gradients, class_relevance, gradient_rollout
from vitreous.analysis.rollout import rollout
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer

METHODS = ("attention", "rollout", "gradient rollout", "relevance")
"""Names of the maps, from the plainest to the one that asks most of the model."""


def heat_maps(
    model: VisionTransformer, image: Float[Tensor, "1 C H W"], label: int | None
) -> dict[str, Float[Tensor, "h w"]]:
    """What counts, by each method, for what the head reads of one image.

    Args:
        model: In inference mode.
        image: Normalised pixels.
        label: The class that `gradient rollout` and `relevance` speak of; the others speak of
            none, and None leaves only them.

    Returns:
        By the names of `METHODS`; not negative, each in its own unit.

    Raises:
        UserError: There is a label, and the model has no head.
    """
    if label is None:
        recording = Recording(attention="all")
        with torch.no_grad():
            model(image, recording=recording)
        flows = [rollout(recording)]
    else:
        found = attention_gradients(model, image, torch.tensor([label], device=image.device))
        recording = found.recording
        flows = [rollout(recording), gradient_rollout(found), class_relevance(found)]
    pooling = model.config.pooling
    read = (read_by_head(flow, recording.grid, recording.prefix, pooling)[0] for flow in flows)
    last = head_attention(recording, model.config.depth - 1, pooling)[0]
    return dict(zip(METHODS, (last, *read), strict=False))
