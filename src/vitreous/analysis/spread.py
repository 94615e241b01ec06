"""Mean and standard deviation of numbers that come batch by batch."""

import torch
from jaxtyping import Float
from torch import Tensor


class Spread:
    """Gathers the mean and the deviation over images without keeping them.

    Source: Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm for computing
    sample variances": two groups are joined by their counts, means and sums of squares.

    Attributes:
        count: Images so far.
        mean: Over images, float64 on the CPU.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(())
        self._squares = torch.zeros(())

    def add(self, values: Float[Tensor, "B *n"]) -> None:
        """Take in one batch of values, one row an image."""
        if not len(values):
            return
        values = values.detach().double().cpu()
        count, mean = len(values), values.mean(0)
        apart = mean - self.mean
        total = self.count + count
        self._squares = (
            self._squares
            + (values - mean).square().sum(0)
            + apart.square() * (self.count * count / total)
        )
        self.mean = self.mean + apart * (count / total)
        self.count = total

    @property
    def deviation(self) -> Float[Tensor, "*n"]:
        """Standard deviation over images, with N in the denominator."""
        return (self._squares / max(self.count, 1)).sqrt()
