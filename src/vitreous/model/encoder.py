"""The Transformer encoder: pre-norm blocks of attention and MLP (equations 2 and 3)."""

from collections.abc import Callable, Collection, Sequence

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

from vitreous.model.activation import ACTIVATIONS
from vitreous.model.attention import Attention
from vitreous.model.config import ViTConfig
from vitreous.model.dense import Dense
from vitreous.model.recording import Recording
from vitreous.model.register_neurons import RegisterNeurons
from vitreous.model.relative_position import RelativePosition

Placing = Callable[[Tensor, int], Tensor]
"""Tokens with the positions of a layer."""


class MLP(nn.Module):
    """Dense, activation, dropout, dense; the first layer is twice as wide for a gate."""

    def __init__(self, config: ViTConfig, register_neurons: Sequence[int] = ()) -> None:
        super().__init__()
        gates = 2 if config.activation == "swiglu" else 1
        self.expand = Dense(config.width, gates * config.mlp_width)
        self.activation = ACTIVATIONS[config.activation]()
        self.moved: nn.Module = nn.Identity()
        if register_neurons:
            self.moved = RegisterNeurons(register_neurons, int(config.class_token))
        self.dropout = nn.Dropout(config.dropout)
        self.contract = Dense(config.mlp_width, config.width)

    def reset_parameters(self) -> None:
        """Xavier uniform kernels, biases normal with deviation 1e-6, as the official code."""
        for linear in (self.expand, self.contract):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.normal_(linear.bias, std=1e-6)

    def forward(self, x: Float[Tensor, "B S D"]) -> Float[Tensor, "B S D"]:
        """Each token by itself."""
        return self.read(self.neurons(x))

    def neurons(self, x: Float[Tensor, "B S D"]) -> Real[Tensor, "B S F"]:
        """Activations of the hidden layer; bytes where its layers are integer (export/int8.py)."""
        hidden: Tensor = self.moved(self.expand.activated(x, self.activation))
        return hidden

    def read(self, neurons: Real[Tensor, "B S F"]) -> Float[Tensor, "B S D"]:
        """What the second layer makes of them."""
        out: Tensor = self.contract(self.dropout(neurons))
        return out


class LayerScale(nn.Module):
    """A learned scale per channel on a residual branch.

    Source: Touvron et al. 2021, "Going deeper with image transformers", arXiv 2103.17239.
    """

    def __init__(self, width: int, initial: float) -> None:
        super().__init__()
        self.initial = initial
        self.gamma = nn.Parameter(torch.empty(width))

    def reset_parameters(self) -> None:
        """All channels at the config's first value."""
        nn.init.constant_(self.gamma, self.initial)

    def forward(self, x: Float[Tensor, "B S D"]) -> Float[Tensor, "B S D"]:
        """Scale."""
        return x * self.gamma


def _layer_scale(config: ViTConfig) -> nn.Module:
    if config.layer_scale is None:
        return nn.Identity()
    return LayerScale(config.width, config.layer_scale)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)), each branch under stochastic depth.

    With LayerScale each branch has a learned scale.
    """

    def __init__(
        self, config: ViTConfig, drop_rate: float, register_neurons: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(config.width, config.norm_eps)
        relative = config.position.startswith("relative")
        self.attention = Attention(config, RelativePosition(config) if relative else None)
        self.scale_attention = _layer_scale(config)
        self.norm_mlp = nn.LayerNorm(config.width, config.norm_eps)
        self.mlp = MLP(config, register_neurons)
        self.scale_mlp = _layer_scale(config)
        self.dropout = nn.Dropout(config.dropout)
        self.attention_dropout: nn.Module = self.dropout
        if not config.output_projection:
            self.attention_dropout = nn.Identity()  # dropout follows dense layers
        self.drop_rate = drop_rate

    def forward(
        self,
        x: Float[Tensor, "B S D"],
        read: int | None = None,
        recording: Recording | None = None,
        layer: int = 0,
    ) -> Float[Tensor, "B R D"]:
        """One encoder block.

        Args:
            x: Tokens.
            read: How many leading tokens are read afterwards. The output holds only these, and
                nothing is computed for the others but their keys and values.
            recording: Where it wants something of this layer's inside, that is computed for all
                tokens that the part reads, and kept there.
            layer: This block's place in the recording.
        """
        wanted = recording.wanted(layer) if recording is not None else frozenset()
        of_attention = wanted - {"tokens", "neurons"}

        def attend(x: Tensor) -> Tensor:
            y = self.norm_attention(x)
            if recording is None or not of_attention:
                return self.attention_dropout(self.scale_attention(self.attention(y, read)))
            out, inside = self.attention.forward_recorded(y, of_attention)
            for kind, tensor in inside.items():
                recording.keep(kind, layer, tensor)
            return self.attention_dropout(self.scale_attention(out[:, :read]))

        def transform(x: Tensor) -> Tensor:
            y = self.norm_mlp(x)
            if recording is None or "neurons" not in wanted:
                return self.dropout(self.scale_mlp(self.mlp(y)))
            neurons = self.mlp.neurons(y)
            recording.keep("neurons", layer, neurons)
            return self.dropout(self.scale_mlp(self.mlp.read(neurons)))

        return self._residual(self._residual(x, attend, read), transform, read)

    def _residual(
        self, x: Tensor, branch: Callable[[Tensor], Tensor], read: int | None
    ) -> Float[Tensor, "B R D"]:
        """Add branch(x) to x; in training the branch runs only for images that draw to keep it.

        Source: Huang et al. 2016, "Deep networks with stochastic depth", arXiv 1603.09382. Kept
        branches are scaled by 1 / (1 - rate), so that inference needs no scale.
        """
        if not self.training or self.drop_rate == 0:
            return x[:, :read] + branch(x)
        # Drawn on the host: how many are kept decides shapes, and a GPU would be waited for.
        kept = (torch.rand(len(x), device="cpu") >= self.drop_rate).nonzero()[:, 0]
        kept = kept.to(x.device, non_blocking=True)
        added = branch(x[kept]).to(x.dtype)
        return x[:, :read].index_add(0, kept, added, alpha=1 / (1 - self.drop_rate))


class Encoder(nn.Module):
    """L blocks and the final layer norm, where it is of every token."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        rates = torch.linspace(0, config.stochastic_depth, config.depth, device="cpu").tolist()
        self.blocks = nn.ModuleList(
            Block(config, rate, [neuron for at, neuron in config.register_neurons if at == layer])
            for layer, rate in enumerate(rates)
        )
        self.norm: nn.Module = nn.Identity()
        if config.final_norm == "tokens":
            self.norm = nn.LayerNorm(config.width, config.norm_eps)

    def forward(
        self,
        x: Float[Tensor, "B S D"],
        read: int | None = None,
        recording: Recording | None = None,
        placed: Placing | None = None,
    ) -> Float[Tensor, "B R D"]:
        """Encode.

        Args:
            x: Tokens with their positions.
            read: How many leading tokens the head reads; the last block computes only these.
            recording: What to keep on the way.
            placed: Adds positions again to the input of a layer, of each but the first.
        """
        last = len(self.blocks) - 1
        for layer, block in enumerate(self.blocks):
            if placed is not None and layer:
                x = placed(x, layer)
            rows = read if layer == last else None
            if recording is None:
                x = block(x, rows)
                continue
            wanted = recording.wanted(layer)
            x = block(x, None if wanted & {"tokens", "neurons"} else rows, recording, layer)
            if "tokens" in wanted:
                recording.keep("tokens", layer, x)
            recording.finish(layer)
        out: Tensor = self.norm(x[:, :read])
        return out

    def outputs(
        self,
        x: Float[Tensor, "B S D"],
        layers: Collection[int],
        placed: Placing | None = None,
    ) -> dict[int, Float[Tensor, "B S D"]]:
        """All tokens after some blocks, by layer; no block beyond the last of them is run."""
        kept: dict[int, Tensor] = {}
        for layer, block in enumerate(self.blocks[: max(layers, default=-1) + 1]):
            if placed is not None and layer:
                x = placed(x, layer)
            x = block(x)
            if layer in layers:
                kept[layer] = x
        return kept
