"""Muon whose orthogonalisation keeps float32, for runs that are to be repeated exactly."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Muon


class Float32Muon(Muon):
    """PyTorch's Muon with its Newton-Schulz iteration in float32 in place of bfloat16.

    Bfloat16 turns the last bit of a gradient, which depends on how a batch is cut into pieces and
    ranks, into a whole bit of bfloat16 of an update. The same state and options as PyTorch's, with
    updates scaled to the size of AdamW's and Nesterov's momentum.

    Source: Jordan et al. 2024, "Muon", kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv
    2502.16982, section 2.2.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the matrices that have a gradient.

        Args:
            closure: Not supported: gradients are there already.
        """
        assert closure is None
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(matrix)
                average = state["momentum_buffer"].lerp_(matrix.grad, 1 - group["momentum"])
                update = orthogonal(
                    matrix.grad.lerp(average, group["momentum"]),
                    group["ns_coefficients"],
                    group["ns_steps"],
                )
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-group["lr"] * 0.2 * math.sqrt(max(matrix.shape)))


def orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], steps: int) -> Tensor:
    """U S V^T with singular values S near 1, between about 0.7 and 1.2, of any matrix.

    Each step is x <- a x + b (x x^T) x + c (x x^T)^2 x, a quintic of the singular values.

    Args:
        matrix: (m, n), whose own singular vectors U and V stay.
        coefficients: a, b and c.
        steps: How many.
    """
    a, b, c = coefficients
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / wide.norm().clamp(min=1e-7)  # no singular value is above 1
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide is matrix else x.T
