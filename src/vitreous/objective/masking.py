"""Which patches of an image are hidden, and what stands in their place."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vitreous.data.draws import Draws


def image_draws(draw: np.random.Generator, index: Int64[Tensor, " B"]) -> Draws:
    """A source of randomness for each image: of the step and the image, whatever its row.

    So an image's patches are the same on any number of ranks.

    Args:
        draw: The step's.
        index: Positions of the images in their part; -1 of rows that only fill a batch up.
    """
    return Draws(int(draw.integers(2**63)), index.cpu().numpy() + 1)


def count_hidden(patches: int, share: float) -> int:
    """How many of N patches are hidden: the nearest to the share; one at least is and one not."""
    return min(max(round(share * patches), 1), patches - 1)


def hide(draws: Draws, patches: int, share: float) -> Int64[Tensor, "B M"]:
    """Places of the hidden patches of each image, equally many in each, in ascending order.

    Args:
        draws: Of each image.
        patches: N.
        share: Of the patches.
    """
    count = count_hidden(patches, share)
    least = np.argpartition(draws.random(patches), count - 1, axis=1)[:, :count]
    return torch.from_numpy(np.sort(least, axis=1))


def corrupt(
    draws: Draws,
    hidden: Int64[Tensor, "B M"],
    patches: int,
    masked: float,
    swapped: float,
) -> Int64[Tensor, "B N"]:
    """Whose embedding stands at each place: the patch's own, another's, or the mask's, which is N.

    Each hidden patch is drawn by itself; another patch is one of the same image, and not itself.

    Args:
        draws: Of each image.
        hidden: Places that are corrupted.
        patches: N.
        masked: Probability of the mask.
        swapped: Probability of another patch; the rest keep their own.
    """
    places = hidden.numpy()
    kind = draws.random(places.shape[1])
    others = (places + 1 + draws.integers(patches - 1, places.shape[1])) % patches
    kept = np.where(kind < masked + swapped, others, places)
    source = np.tile(np.arange(patches), (len(places), 1))
    np.put_along_axis(source, places, np.where(kind < masked, patches, kept), axis=1)
    return torch.from_numpy(source)


def pick(x: Float[Tensor, "B N D"], places: Int64[Tensor, "B M"]) -> Float[Tensor, "B M D"]:
    """Rows of each image."""
    return x.take_along_dim(places[..., None], 1)


def fill(
    x: Float[Tensor, "B N D"], blank: Float[Tensor, " D"], source: Int64[Tensor, "B N"]
) -> Float[Tensor, "B N D"]:
    """Rows of each image in the places that `corrupt` gives them, `blank` at the mask's."""
    blanks = blank.to(x.dtype).expand(len(x), 1, -1)
    return pick(torch.cat([x, blanks], dim=1), source)
