"""Muon in the precision that a run asks for, and on a GPU all matrices of a shape at once."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Muon

from vitreous.parallel.collect import shard


class BatchedMuon(Muon):
    """PyTorch's Muon, its Newton-Schulz iteration in `dtype`, over all matrices of a shape at once.

    In bfloat16 the last bit of a gradient, which depends on how a batch is cut into pieces and
    ranks, becomes a whole bit of bfloat16 of an update: runs that are to be repeated exactly take
    float32. Matrices of one shape are stacked on a GPU, where one by one they are a thousand small
    kernels a step. The same state and options as PyTorch's, with updates scaled to the size of
    AdamW's and Nesterov's momentum.

    Source: Jordan et al. 2024, "Muon", kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv
    2502.16982, section 2.2.

    Args:
        params: Matrices, or groups of them.
        dtype: Of the iteration.
        **options: Of PyTorch's.

    Attributes:
        found_inf: As PyTorch's fused optimisers have it, on the matrices' device: where it is 1,
            nothing moves in a step. None is 0.
        grad_scale: Likewise, what gradients are divided by. None is 1.
    """

    found_inf: Tensor | None = None
    grad_scale: Tensor | None = None

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        *,
        dtype: torch.dtype = torch.float32,
        **options: Any,
    ) -> None:
        super().__init__(params, **options)
        self._dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the matrices that have a gradient.

        Args:
            closure: Not supported: gradients are there already.
        """
        assert closure is None
        for group in self.param_groups:
            moving = [matrix for matrix in group["params"] if matrix.grad is not None]
            for matrices in _of_one_shape(moving):
                self._move(matrices, group)

    def _move(self, matrices: list[Tensor], group: dict[str, Any]) -> None:
        averages = [self._average(matrix) for matrix in matrices]
        gradients = _together([matrix.grad for matrix in matrices if matrix.grad is not None])
        rate, momentum = group["lr"], group["momentum"]
        if self.grad_scale is not None:
            gradients = gradients / self.grad_scale
        decay: Tensor | float = rate * group["weight_decay"]
        if self.found_inf is not None:
            broken = self.found_inf.bool()
            gradients = torch.where(broken, _together(averages), gradients)
            decay = decay * ~broken
        torch._foreach_lerp_(averages, _apart(gradients, matrices), 1 - momentum)
        updates = orthogonal(
            gradients.lerp(_together(averages), momentum).to(self._dtype),
            group["ns_coefficients"],
            group["ns_steps"],
        ).to(gradients.dtype)
        if self.found_inf is not None:
            updates = updates.masked_fill(broken, 0)
        torch._foreach_mul_(matrices, 1 - decay)
        size = 0.2 * math.sqrt(max(matrices[0].shape))
        torch._foreach_add_(matrices, _apart(updates, matrices), alpha=-rate * size)

    def _average(self, matrix: Tensor) -> Tensor:
        """Of its gradients."""
        state = self.state[matrix]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        average: Tensor = state["momentum_buffer"]
        return average


def _together(matrices: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(matrices)) if len(matrices) > 1 else matrices[0]


def _apart(stacked: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """In rows, as the matrices are: what acts on many at once goes one by one through others."""
    return list(stacked.contiguous().unbind()) if len(like) > 1 else [stacked]


def _of_one_shape(matrices: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Those that go together: on a GPU, whole ones of a shape; every other by itself."""
    together: dict[torch.Size, list[Tensor]] = {}
    for matrix in matrices:
        if matrix.device.type == "cuda" and shard(matrix) is matrix:
            together.setdefault(matrix.shape, []).append(matrix)
        else:
            yield [matrix]
    yield from together.values()


def orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], steps: int) -> Tensor:
    """U S V^T with singular values S near 1, between about 0.7 and 1.2, of any matrix.

    Each step is x <- a x + b (x x^T) x + c (x x^T)^2 x, a quintic of the singular values.

    Args:
        matrix: (m, n), or several, (M, m, n), whose own singular vectors U and V stay.
        coefficients: a, b and c.
        steps: How many.
    """
    a, b, c = coefficients
    wide = matrix if matrix.shape[-2] <= matrix.shape[-1] else matrix.mT
    alone = wide.ndim == 2
    norm = wide.norm() if alone else wide.norm(dim=(-2, -1), keepdim=True)
    x = wide / norm.clamp(min=1e-7)  # no singular value is above 1
    add = torch.addmm if alone else torch.baddbmm
    for _ in range(steps):
        gram = x @ x.mT
        x = add(x, add(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide is matrix else x.mT
