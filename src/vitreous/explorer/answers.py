"""What is cut out of a look, and the answer to a masked image."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vitreous.analysis.token_attention import attention_from, attention_to
from vitreous.explorer.look import Inside, Look
from vitreous.explorer.subject import Subject


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
