"""Patches that are alike to the model."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


class Neighbour(NamedTuple):
    """A patch, and the cosine of the angle between its token and the query's."""

    image: int
    row: int
    column: int
    similarity: float


def patch_similarity(
    tokens: Float[Tensor, "B h w D"], image: int, row: int, column: int
) -> Float[Tensor, "B h w"]:
    """The cosine between one patch's token and those of all patches of all images.

    Args:
        tokens: Of the patches of one layer.
        image: Of the query.
        row: Of the query.
        column: Of the query.

    Returns:
        In [-1, 1]; 0 where a token is zero.
    """
    unit = F.normalize(tokens.float(), dim=-1)
    return (unit @ unit[image, row, column]).clamp(-1, 1)


def nearest_patches(
    tokens: Float[Tensor, "B h w D"], image: int, row: int, column: int, limit: int = 8
) -> list[Neighbour]:
    """The patches nearest to one, by cosine; not itself.

    Args:
        tokens: Of the patches of one layer.
        image: Of the query.
        row: Of the query.
        column: Of the query.
        limit: At most so many.

    Returns:
        The nearest first.
    """
    similarity = patch_similarity(tokens, image, row, column)
    similarity[image, row, column] = -torch.inf
    values, places = similarity.flatten().topk(min(limit, similarity.numel() - 1))
    where = torch.stack(torch.unravel_index(places, similarity.shape), dim=1).tolist()
    return [
        Neighbour(image, row, column, value)
        for (image, row, column), value in zip(where, values.tolist(), strict=True)
    ]
