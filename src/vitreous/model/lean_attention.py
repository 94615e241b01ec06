"""Explicit attention that keeps no S x S weights for the backward pass."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


def lean_attention(
    q: Float[Tensor, "B k R d"], k: Float[Tensor, "B k S d"], v: Float[Tensor, "B k S d"]
) -> Float[Tensor, "B k R d"]:
    """softmax(q k^T / sqrt(d)) v by plain products; the weights are computed again on the way back.

    The same bits as autograd's through the explicit softmax, for one product and one softmax more,
    and as little kept as by a fused kernel. In the precision of its arguments, whatever autocast
    says.

    Source: Dao et al. 2022, arXiv 2205.14135, section 3.1 (recomputation), without its tiles.
    """
    heads: Tensor = _LeanAttention.apply(q, k, v)  # type: ignore[no-untyped-call]
    return heads


def _weights(q: Tensor, k: Tensor) -> Tensor:
    return ((q * q.shape[-1] ** -0.5) @ k.mT).softmax(-1)


class _LeanAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(q, k, v)
        with torch.autocast(q.device.type, enabled=False):
            return _weights(q, k) @ v

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = ctx.saved_tensors
        scale = q.shape[-1] ** -0.5
        with torch.autocast(q.device.type, enabled=False):
            weights = _weights(q, k)
            of_logits = torch.ops.aten._softmax_backward_data(
                gradient @ v.mT, weights, -1, weights.dtype
            )
            return (of_logits @ k) * scale, of_logits.mT @ (q * scale), weights.mT @ gradient
