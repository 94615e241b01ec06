"""Explicit attention in pieces that stay in the cache, which keeps no S x S weights."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

# Weights of a piece, numbers: what a core's cache holds (benchmarks/attention.md).
_PIECE = 500_000


def lean_attention(
    q: Float[Tensor, "B k R d"], k: Float[Tensor, "B k S d"], v: Float[Tensor, "B k S d"]
) -> Float[Tensor, "B k R d"]:
    """softmax(q k^T / sqrt(d)) v by plain products, a few images at a time.

    For the backward pass the weights are computed again: the same bits as autograd's through the
    explicit softmax, for one product and one softmax more, and as little kept as by a fused kernel.
    In the precision of its arguments, whatever autocast says.

    Source: Dao et al. 2022, arXiv 2205.14135, section 3.1 (recomputation); the pieces are images.
    """
    heads: Tensor = _LeanAttention.apply(q, k, v)  # type: ignore[no-untyped-call]
    return heads


def _pieces(q: Tensor, k: Tensor) -> Iterator[slice]:
    """Images whose weights fit the cache together, at least one."""
    images = max(1, _PIECE // (q.shape[1] * q.shape[2] * k.shape[2]))
    for first in range(0, len(q), images):
        yield slice(first, first + images)


def _weights(q: Tensor, k: Tensor) -> Tensor:
    return ((q * q.shape[-1] ** -0.5) @ k.mT).softmax(-1)


class _LeanAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(q, k, v)
        out = q.new_empty(len(q), q.shape[2], q.shape[1], v.shape[3]).transpose(1, 2)
        with torch.autocast(q.device.type, enabled=False):
            for some in _pieces(q, k):
                out[some] = _weights(q[some], k[some]) @ v[some]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = ctx.saved_tensors
        scale = q.shape[-1] ** -0.5
        of_q, of_k, of_v = (torch.empty_like(t) for t in (q, k, v))
        with torch.autocast(q.device.type, enabled=False):
            for some in _pieces(q, k):
                weights = _weights(q[some], k[some])
                of_heads = gradient[some]
                of_logits = torch.ops.aten._softmax_backward_data(
                    of_heads @ v[some].mT, weights, -1, weights.dtype
                )
                of_q[some] = (of_logits @ k[some]) * scale
                of_k[some] = of_logits.mT @ (q[some] * scale)
                of_v[some] = weights.mT @ of_heads
        return of_q, of_k, of_v
