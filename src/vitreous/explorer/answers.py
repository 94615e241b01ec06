"""Answers to what the page asks of a look."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vitreous.analysis.maps import heat_maps
from vitreous.analysis.occlusion import occlusion_map
from vitreous.analysis.token_attention import attention_from, attention_to
from vitreous.errors import UserError
from vitreous.explorer.look import Inside, Look
from vitreous.explorer.subject import Subject

# The maps of all layers, their gradients and the graph between.
_RELEVANCE_COPIES = 3
_MOST_RELEVANCE_BYTES = 4 * 2**30


@torch.inference_mode()
def token_attention(inside: Inside, token: int) -> Float[Tensor, "2 L k S"]:
    """What a token attends to, and what attends to it, in every layer and head.

    Args:
        inside: Of a look.
        token: Its place in the sequence.
    """
    given = attention_from(inside.queries, inside.keys, token)
    received = attention_to(inside.queries, inside.keys, inside.normalisers, token)
    return torch.stack([given, received]).cpu()


def class_map(
    subject: Subject, look: Look, label: int, check: Callable[[], None] = lambda: None
) -> Float[Tensor, "h w"]:
    """Where the image counts for a class: its relevance, or without attention its occlusion.

    Args:
        subject: The model.
        look: At the image; keeps the map.
        label: The class.
        check: Called between the passes of an occlusion; may raise to stop it.

    Raises:
        UserError: The attention of the model is too large to be differentiated.
    """
    if label not in look.maps:
        look.maps[label] = _class_map(subject, look, label, check)
    return look.maps[label]


def _class_map(
    subject: Subject, look: Look, label: int, check: Callable[[], None]
) -> Float[Tensor, "h w"]:
    if subject.transformer is None:

        def classify(images: Tensor) -> Tensor:
            check()
            with subject.engine.autocast():
                logits: Tensor = subject.model(images)
            return logits

        return occlusion_map(classify, look.image, label).cpu()
    assert look.inside is not None
    layers, heads, tokens, _ = look.inside.queries.shape
    size = _RELEVANCE_COPIES * layers * heads * tokens**2 * 4
    if size > _MOST_RELEVANCE_BYTES:
        raise UserError(
            f"relevance would take {size / 2**30:.0f} GiB for this model's {tokens} tokens: "
            "load it with a smaller image_size"
        )
    return heat_maps(subject.transformer, look.image, label)["relevance"].cpu()


def masked_probabilities(
    subject: Subject, look: Look, patches: Sequence[int]
) -> Float[Tensor, " K"]:
    """What the model says when patches are painted over with the preprocessing's mean colour.

    Args:
        subject: The model, with a head.
        look: At the image.
        patches: Numbers of the patches, row by row from 0.
    """
    if not patches:
        assert look.probabilities is not None
        return look.probabilities
    mask = pixel_mask(subject, patches).to(look.image.device)
    return subject.probabilities(torch.where(mask, 0.0, look.image))[0].cpu()


def pixel_mask(subject: Subject, patches: Sequence[int]) -> Bool[Tensor, "H W"]:
    """True where a pixel belongs to one of the patches; pixels that fill no patch are in none."""
    height, width = subject.passport.preprocessing.size
    h, w = subject.grid
    chosen = torch.zeros(h * w, dtype=torch.bool)
    chosen[list(patches)] = True
    cells = chosen.view(h, w).repeat_interleave(subject.patch[0], 0)
    cells = cells.repeat_interleave(subject.patch[1], 1)
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[: cells.shape[0], : cells.shape[1]] = cells
    return mask
