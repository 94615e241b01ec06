"""Linear layers of eight-bit floats for a GPU of Hopper's kind, activations measured before."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.export.calibrate import activation_ranges, put_layer
from vitreous.model.vit import VisionTransformer

_FLOAT8 = torch.float8_e4m3fn
_LARGEST = torch.finfo(_FLOAT8).max
# The matrix units take sides of this many numbers at a time.
_SIDE = 16
_TWICE = 2 * math.sqrt(2 / math.pi)


class Float8Dense(nn.Module):
    """A linear layer whose products are of float8 numbers, its sums float32, its output bfloat16.

    The weights have one scale and the activations another: with those alone the matrix units are
    fastest, and add the bias themselves. Numbers with an exponent lose nothing by a common scale
    until they are some thousand times smaller than the largest.
    """

    weight: Tensor
    weight_scale: Tensor
    input_scale: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear, largest: float) -> None:
        super().__init__()
        weight = layer.weight.float()
        scale = weight.abs().max().clamp_min(1e-12) / _LARGEST
        self.to_levels = _LARGEST / max(largest, 1e-12)
        self.register_buffer("weight", (weight / scale).to(_FLOAT8))
        self.register_buffer("weight_scale", scale)
        self.register_buffer("input_scale", torch.full_like(scale, 1 / self.to_levels))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.bfloat16())

    def forward(self, x: Float[Tensor, "*S D"]) -> Float[Tensor, "*S E"]:
        """Rows x to x W^T + b; what is larger than was seen before goes to the largest."""
        levels = (x.float() * self.to_levels).clamp(-_LARGEST, _LARGEST).to(_FLOAT8)
        out: Tensor = torch._scaled_mm(
            levels.flatten(0, -2),
            self.weight.t(),
            self.input_scale,
            self.weight_scale,
            bias=self.bias,
            out_dtype=torch.bfloat16,
            use_fast_accum=True,
        )
        return out.unflatten(0, x.shape[:-1])

    def activated(self, x: Float[Tensor, "*S D"], activation: nn.Module) -> Float[Tensor, "*S E"]:
        """activation(x W^T + b); GELU by tanh, which float8 cannot tell from the exact one."""
        out = self(x)
        if isinstance(activation, nn.GELU):
            y = out.float()
            # y (1 + tanh(u)) / 2 is y sigmoid(2 u), which a GPU computes in half the time.
            return (y * torch.sigmoid(_TWICE * (y + 0.044715 * y**3))).to(out.dtype)
        activated: Tensor = activation(out)
        return activated


@torch.no_grad()
def quantise_float8(model: VisionTransformer, run: Callable[[], object]) -> None:
    """Put float8 layers in place of the encoder's linear ones; those of odd sides stay.

    Args:
        model: Frozen, its encoder in bfloat16.
        run: Runs it over images that are like those to come.
    """
    for name, seen in activation_ranges(model, run).items():
        if seen.layer.in_features % _SIDE == 0 and seen.layer.out_features % _SIDE == 0:
            put_layer(model, name, Float8Dense(seen.layer, max(-seen.low, seen.high)))
