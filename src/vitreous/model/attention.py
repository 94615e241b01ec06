"""Multi-head self-attention (paper, appendix A)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitreous.model.config import ViTConfig
from vitreous.model.dense import Dense, dense, hooked
from vitreous.model.lean_attention import lean_attention
from vitreous.model.recording import Kind
from vitreous.model.relative_position import RelativePosition


class Attention(nn.Module):
    """Multi-head self-attention with one packed projection for queries, keys and values.

    softmax(q k^T / sqrt(d)) v in each of k heads (equations 5-8). Rows of the packed kernel are
    queries, keys, values; within each, head after head. Without an output projection the heads,
    side by side, are the output. A relative position adds to the logits, and
    to what is read where it has values.
    """

    def __init__(self, config: ViTConfig, position: RelativePosition | None = None) -> None:
        super().__init__()
        self.heads = config.heads
        self.head_width = config.head_dim
        self.inner = config.heads * config.head_dim
        self.dropout = config.attention_dropout
        self.qkv = Dense(config.width, 3 * self.inner, bias=config.qkv_bias)
        self.projection: nn.Module = nn.Identity()
        if config.output_projection:
            self.projection = Dense(self.inner, config.width)
        self.position = position

    def reset_parameters(self) -> None:
        """Xavier uniform for each of the four kernels, zero biases, as the official code."""
        for kernel in self.qkv.weight.split(self.inner):
            nn.init.xavier_uniform_(kernel)
        if isinstance(self.projection, nn.Linear):
            nn.init.xavier_uniform_(self.projection.weight)
        for linear in (self.qkv, self.projection):
            if isinstance(linear, nn.Linear) and linear.bias is not None:
                nn.init.zeros_(linear.bias)

    def forward(self, x: Float[Tensor, "B S D"], read: int | None = None) -> Float[Tensor, "B R D"]:
        """Attend, with the fused kernel or, where that is slower or cannot, the explicit softmax.

        In bfloat16 on a CPU the fused kernel takes 1.5 times as long as the explicit softmax where
        there are no matrix units, and its backward pass 1.5 to 7 times as long everywhere
        (benchmarks/attention.md); elsewhere the fused kernel leads. What the explicit one keeps
        for its backward pass is bounded (benchmarks/memory.md).

        Args:
            x: Normalised tokens.
            read: How many leading tokens will be read afterwards; queries of the others are not
                computed. All where None.
        """
        # Who hooks the layer sees it called, at the price of the queries that nobody reads.
        if read is not None and (torch.compiler.is_compiling() or not hooked(self.qkv)):
            return self._join(self._attend(*self._apart(x[:, :read], x)))
        packed = self._packed(x)
        if read is None:
            return self._project(self._attend_all(packed))
        q, k, v = _by_head(packed)
        return self._join(self._attend(q[:, :, :read], k, v))

    def forward_recorded(
        self, x: Float[Tensor, "B S D"], wanted: frozenset[Kind]
    ) -> tuple[Float[Tensor, "B S D"], dict[Kind, Float[Tensor, "B k S _"]]]:
        """The same output, and what it was made of.

        Args:
            x: Normalised tokens.
            wanted: Of attention (B, k, S, S), whose rows sum to one and which takes the explicit
                softmax; queries, keys and values (B, k, S, d).
        """
        packed = self._packed(x)
        q, k, v = _by_head(packed)
        inside: dict[Kind, Tensor] = {"queries": q, "keys": k, "values": v}
        if "attention" in wanted:
            heads, inside["attention"] = self._explicit(q, k, v)
            out = self._join(heads)
        else:
            out = self._project(self._attend_all(packed))
        return out, {kind: inside[kind] for kind in inside if kind in wanted}

    def _attend_all(self, packed: Float[Tensor, "B S 3 k d"]) -> Float[Tensor, "B S k d"]:
        plain = self.position is None and not (self.dropout and self.training)
        if plain and _fused_is_slow(packed):
            return lean_attention(packed)
        return self._attend(*_by_head(packed)).transpose(1, 2)

    def _attend(
        self, q: Float[Tensor, "B k R d"], k: Float[Tensor, "B k S d"], v: Float[Tensor, "B k S d"]
    ) -> Float[Tensor, "B k R d"]:
        dropout = self.dropout if self.training else 0.0
        if _fused_is_slow(q):
            with torch.autocast("cpu", enabled=False):  # or the softmax would go to float32
                heads, _ = self._explicit(q, k, v)
            return heads
        if self.position is not None and self.position.values is not None:
            return self._explicit(q, k, v)[0]
        added = None if self.position is None else self.position.logits(q, k.shape[2])
        return F.scaled_dot_product_attention(q, k, v, added, dropout_p=dropout)

    def forward_across(
        self, queries: Float[Tensor, "B R D"], x: Float[Tensor, "B S D"]
    ) -> Float[Tensor, "B R D"]:
        """Attention of other tokens, the queries, to these."""
        q, k, v = self._apart(queries, x)
        dropout = self.dropout if self.training else 0.0
        return self._join(F.scaled_dot_product_attention(q, k, v, dropout_p=dropout))

    def _explicit(
        self, q: Float[Tensor, "B k R d"], k: Float[Tensor, "B k S d"], v: Float[Tensor, "B k S d"]
    ) -> tuple[Float[Tensor, "B k R d"], Float[Tensor, "B k R S"]]:
        logits = (q * self.head_width**-0.5) @ k.mT
        if self.position is not None:
            logits = logits + self.position.logits(q, k.shape[2])
        weights = logits.softmax(-1)
        kept = F.dropout(weights, self.dropout, self.training)
        heads = kept @ v
        if self.position is not None and self.position.values is not None:
            heads = heads + self.position.read(kept)
        return heads, weights

    def _packed(self, x: Float[Tensor, "B S D"]) -> Float[Tensor, "B S 3 k d"]:
        packed: Tensor = self.qkv(x).unflatten(2, (3, self.heads, self.head_width))
        return packed

    def _apart(
        self, queries: Float[Tensor, "B R D"], x: Float[Tensor, "B S D"]
    ) -> tuple[Float[Tensor, "B k R d"], Float[Tensor, "B k S d"], Float[Tensor, "B k S d"]]:
        """Queries of some tokens, keys and values of others."""
        shape = (self.heads, self.head_width)
        weight, bias = self.qkv.weight, self.qkv.bias
        first = None if bias is None else bias[: self.inner]
        rest = None if bias is None else bias[self.inner :]
        q = dense(queries, weight[: self.inner], first).unflatten(2, shape)
        kv = dense(x, weight[self.inner :], rest).unflatten(2, (2, *shape))
        k, v = kv.permute(2, 0, 3, 1, 4).unbind()
        return q.transpose(1, 2), k, v

    def _join(self, heads: Float[Tensor, "B k R d"]) -> Float[Tensor, "B R D"]:
        return self._project(heads.transpose(1, 2))

    def _project(self, heads: Float[Tensor, "B R k d"]) -> Float[Tensor, "B R D"]:
        joined: Tensor = self.projection(heads.flatten(2))
        return joined


def _by_head(
    packed: Float[Tensor, "B S 3 k d"],
) -> tuple[Float[Tensor, "B k S d"], Float[Tensor, "B k S d"], Float[Tensor, "B k S d"]]:
    """Queries, keys and values."""
    q, k, v = packed.permute(2, 0, 3, 1, 4).unbind()
    return q, k, v


def _fused_is_slow(x: Tensor) -> bool:
    """Of bfloat16 on a CPU."""
    if x.device.type != "cpu" or x.dtype != torch.bfloat16:
        return False
    if torch.compiler.is_compiling():
        return torch.is_grad_enabled()
    return torch.is_grad_enabled() or not torch.cpu._is_amx_tile_supported()
