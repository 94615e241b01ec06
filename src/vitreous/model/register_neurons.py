"""Test-time registers: some neurons leave the patches for a token that nobody reads."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


class RegisterNeurons(nn.Module):
    """Gives a register the largest activation of each of some neurons, and all others zero.

    Source: Jiang et al. 2025, "Vision Transformers don't need trained registers", arXiv 2506.08010,
    section 4.

    Args:
        neurons: Of the MLP's hidden layer.
        register: Its place in the sequence.
    """

    def __init__(self, neurons: Sequence[int], register: int) -> None:
        super().__init__()
        self.neurons, self.register = list(neurons), register

    def forward(self, x: Float[Tensor, "B R F"]) -> Float[Tensor, "B R F"]:
        """Move. Where only the tokens before the register are computed, they are what is left."""
        moved = x.clone()
        moved[:, :, self.neurons] = 0
        if self.register < x.shape[1]:
            moved[:, self.register, self.neurons] = x[:, :, self.neurons].amax(1)
        return moved
