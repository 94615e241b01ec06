"""What stands between the two layers of an MLP."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitreous.model.config import Activation


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), OpenAI's CLIP's approximation of GELU.

    Source: openai/CLIP, clip/model.py; Hendrycks and Gimpel 2016, arXiv 1606.08415, section 2.
    """

    def forward(self, x: Float[Tensor, "B S F"]) -> Float[Tensor, "B S F"]:
        """Each number by itself."""
        return x * torch.sigmoid(1.702 * x)


class SwiGLU(nn.Module):
    """silu(gate) * value, of a layer twice as wide whose first half is the gate.

    Source: Shazeer 2020, arXiv 2002.05202; facebookresearch/dinov2, layers/swiglu_ffn.py.
    """

    def forward(self, x: Float[Tensor, "B S G"]) -> Float[Tensor, "B S F"]:
        """Gate: G is twice F."""
        gate, value = x.chunk(2, -1)
        return F.silu(gate) * value


ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "quick_gelu": QuickGELU,
    "relu": nn.ReLU,
    "swiglu": SwiGLU,
}
