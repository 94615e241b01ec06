"""What training does to the pixels of a whole batch, for every objective alike."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from vitreous.data.batch import Batch, normalise
from vitreous.data.colour import recolour
from vitreous.data.erasing import erase
from vitreous.data.movement import move
from vitreous.data.preprocessing import Preprocessing


def augment(
    batch: Batch, rule: Preprocessing, draw: np.random.Generator
) -> Float[Tensor, "B C H W"]:
    """Colour, normalise, move and erase, as the loader has drawn for each image.

    Args:
        batch: On its device.
        rule: Normalisation.
        draw: The step's source of randomness.
    """
    images = batch.images
    if batch.colour is not None:
        images = recolour(images.float(), batch.colour)
    images = normalise(images, rule)
    if batch.movement is not None:
        images = move(images, batch.movement)
    if batch.erased is not None:
        images = erase(images, batch.erased, batch.index, draw)
    return images
