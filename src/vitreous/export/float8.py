"""Linear layers of eight-bit floats for a GPU of Hopper's kind, activations measured before."""

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


class Float8Dense(nn.Module):
    """A linear layer whose products are of float8 numbers, its sums float32, its output bfloat16.

    A row of weights has a scale of its own, and the activations one for all, so that the product
    itself is by one scale, which is the matrix units' fastest way; scales and bias follow in the
    pass over the output that the compiler makes anyway for what comes next.
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor | None
    one: Tensor

    def __init__(self, layer: nn.Linear, largest: float) -> None:
        super().__init__()
        rows = layer.weight.float()
        row_scale = rows.abs().amax(1).clamp_min(1e-12) / _LARGEST
        self.register_buffer("weight", (rows / row_scale[:, None]).to(_FLOAT8))
        self.to_levels = _LARGEST / max(largest, 1e-12)
        self.register_buffer("scale", row_scale / self.to_levels)
        self.register_buffer("bias", None if layer.bias is None else layer.bias.float())
        self.register_buffer("one", torch.ones((), device=rows.device))

    def forward(self, x: Float[Tensor, "*S D"]) -> Float[Tensor, "*S E"]:
        """Rows x to x W^T + b; what is larger than was seen before goes to the largest."""
        levels = (x.float() * self.to_levels).clamp(-_LARGEST, _LARGEST).to(_FLOAT8)
        product: Tensor = torch._scaled_mm(
            levels.flatten(0, -2),
            self.weight.t(),
            self.one,
            self.one,
            out_dtype=torch.bfloat16,
            use_fast_accum=True,
        )
        out = product.float() * self.scale
        if self.bias is not None:
            out = out + self.bias
        return out.to(x.dtype).unflatten(0, x.shape[:-1])

    def activated(self, x: Float[Tensor, "*S D"], activation: nn.Module) -> Float[Tensor, "*S E"]:
        """activation(x W^T + b)."""
        activated: Tensor = activation(self(x))
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
