"""Fixed numbers on a device, which is given them once."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.compiler import is_compiling

Numbers = tuple[float, ...] | tuple[tuple[float, ...], ...]


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
    if is_compiling():  # what is traced stands for numbers and has none to be kept
        return torch.tensor(numbers, dtype=dtype, device=device)
    return _kept(numbers, device, dtype)


@lru_cache(maxsize=256)
def _kept(numbers: Numbers, device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):  # for training too, whoever asks first
        return torch.tensor(numbers, dtype=dtype, device=device)
