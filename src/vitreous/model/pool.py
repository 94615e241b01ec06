"""From tokens to one vector: what the head reads."""

from jaxtyping import Float
from torch import Tensor, nn


class ClassTokenPool(nn.Module):
    """The class token (equation 4): the head reads one token, so the last block makes only one."""

    read = 1

    def forward(self, x: Float[Tensor, "B R D"]) -> Float[Tensor, "B D"]:
        """The first token."""
        return x[:, 0]


class MeanPool(nn.Module):
    """The mean of the patches (appendix D.3); a class token, where there is one, is left out."""

    read = None

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.prefix = prefix

    def forward(self, x: Float[Tensor, "B S D"]) -> Float[Tensor, "B D"]:
        """The mean over patch tokens."""
        return x[:, self.prefix :].mean(1)
