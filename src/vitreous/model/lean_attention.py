"""Explicit attention in pieces that stay in the cache."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

# Weights of a piece, numbers: what a core's cache holds (benchmarks/attention.md).
_PIECE = 500_000
# And at most, where an image is more than the cache holds: what the memory should hold.
_LARGEST = 16_000_000
# What may be kept of the weights for the backward pass, in widths of a head for each token and
# head: as much as queries, keys and values take.
_KEPT = 3


def lean_attention(qkv: Float[Tensor, "B S 3 k d"]) -> Float[Tensor, "B S k d"]:
    """softmax(q k^T / sqrt(d)) v by plain products, a piece of the batch at a time.

    From a packed projection to what the next one reads, and back: heads are laid together once, and
    not again by every product. For the backward pass the weights are kept as far as they take
    the memory of the projection, and those of the others computed again, for one product and one
    softmax more: what is kept grows with the tokens, not with their square. In the precision of its
    argument, whatever autocast says.

    Source: Dao et al. 2022, arXiv 2205.14135, section 3.1 (recomputation); the pieces are images,
    or heads of one.
    """
    heads: Tensor = _LeanAttention.apply(qkv)  # type: ignore[no-untyped-call]
    return heads


def _pieces(images: int, heads: int, tokens: int) -> list[tuple[slice, slice]]:
    """Images whose weights fit the cache together, at least one; a very large one by heads."""
    weights = tokens**2
    if heads * weights <= _LARGEST:
        some = max(1, _PIECE // (heads * weights))
        return [(slice(first, first + some), slice(heads)) for first in range(0, images, some)]
    few = max(1, _LARGEST // weights)
    return [
        (slice(image, image + 1), slice(first, first + few))
        for image in range(images)
        for first in range(0, heads, few)
    ]


class _LeanAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor) -> Tensor:
        images, tokens, _, heads, width = qkv.shape
        by_head = qkv.permute(2, 0, 3, 1, 4).contiguous()  # (3, B, k, S, d)
        out = qkv.new_empty(images, tokens, heads, width)
        pieces = _pieces(images, heads, tokens)
        share = min(1, _KEPT * width / tokens) if ctx.needs_input_grad[0] else 0
        keep = int(share * len(pieces))
        kept: list[Tensor] = []
        with torch.autocast(qkv.device.type, enabled=False):
            for some, part in pieces:
                mine = by_head[:, some, part]
                q, k, v = mine.flatten(1, 2)
                weights = _weights(q, k)
                if len(kept) < keep:
                    kept.append(weights)
                out[some, :, part] = (weights @ v).view_as(mine[0]).transpose(1, 2)
        ctx.save_for_backward(by_head, *kept)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        by_head, *kept = ctx.saved_tensors
        _, images, heads, tokens, width = by_head.shape
        out = by_head.new_empty(images, tokens, 3, heads, width)
        with torch.autocast(gradient.device.type, enabled=False):
            for piece, (some, part) in enumerate(_pieces(images, heads, tokens)):
                mine = by_head[:, some, part]
                q, k, v = mine.flatten(1, 2)
                of_heads = gradient[some, :, part].transpose(1, 2).flatten(0, 1)  # (b k, S, d)
                weights = kept[piece] if piece < len(kept) else _weights(q, k)
                of_logits = torch.ops.aten._softmax_backward_data(
                    of_heads @ v.mT, weights, -1, weights.dtype
                )
                gradients = (
                    _product(of_logits, k, width**-0.5),
                    _product(of_logits.mT, q, width**-0.5),
                    weights.mT @ of_heads,
                )
                for each, found in enumerate(gradients):
                    out[some, :, each, part] = found.view_as(mine[each]).transpose(1, 2)
        return out


def _weights(q: Tensor, k: Tensor) -> Tensor:
    return _product(q, k.mT, q.shape[-1] ** -0.5).softmax(-1)


def _product(a: Tensor, b: Tensor, scale: float) -> Tensor:
    """A b, scaled inside the product."""
    return torch.baddbmm(a.new_empty(()), a, b, beta=0, alpha=scale)
