"""Fixed numbers on a device, which is given them once."""

import torch
from jaxtyping import Float
from torch import Tensor

from vitreous.kept import keep

Numbers = tuple[float, ...] | tuple[tuple[float, ...], ...]


@keep(256)
def constant(
    numbers: Numbers, device: torch.device, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "..."]:
    """The tensor of a few numbers, the same one each time: it is not to be changed.

    To send a GPU new ones with every batch, the host would wait for it with every batch.

    Args:
        numbers: One row, or several.
        device: Where to.
        dtype: Of the tensor.
    """
    with torch.inference_mode(False):  # for training too, whoever asks first
        return torch.tensor(numbers, dtype=dtype, device=device)
