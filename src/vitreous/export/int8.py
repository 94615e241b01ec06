"""Linear layers of eight bits for a CPU: oneDNN's integer products, activations measured before."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int8, Real
from torch import Tensor, nn

from vitreous.export.calibrate import activation_ranges, put_layer
from vitreous.export.pack import Packed
from vitreous.model.dense import kernel_name
from vitreous.model.encoder import MLP
from vitreous.model.vit import VisionTransformer


class Range(NamedTuple):
    """What the 256 levels of an activation stand for: scale * (level - zero)."""

    scale: float
    zero: int

    @classmethod
    def of(cls, low: float, high: float) -> "Range":
        """From the least to the largest number; 0 is met exactly."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(high - low, 1e-8) / 255
        return cls(scale, round(-low / scale))

    def levels(self, x: Float[Tensor, "*S D"]) -> Real[Tensor, "*S D"]:
        """The nearest levels, uint8; what lies outside goes to the ends.

        By way of int8, to which PyTorch converts in a tenth of the time.
        """
        moved = x.mul(1 / self.scale).add_(self.zero - 128).round_().clamp_(-128, 127)
        return moved.to(torch.int8).view(torch.uint8).bitwise_xor_(128)


def quantised_rows(
    weight: Float[Tensor, "E D"],
) -> tuple[Int8[Tensor, "E D"], Float[Tensor, " E"]]:
    """Each row in 255 levels around zero, and the size of a level."""
    scale = weight.abs().amax(1).clamp_min(1e-12) / 127
    return (weight / scale[:, None]).round().to(torch.int8), scale


class Int8Dense(Packed):
    """A linear layer whose products are of bytes; what comes out is float32, or bytes again.

    Attributes:
        output: The range of bytes that `activated` gives; float32 where None.
    """

    scale: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear, given: Range, rows: int) -> None:
        weight, scale = quantised_rows(layer.weight.float())
        super().__init__(weight, rows)
        self.register_buffer("scale", scale)
        self.register_buffer("zeros", torch.zeros(len(scale), dtype=torch.int32))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.float())
        self.given = given
        self.output: Range | None = None

    def packed(self, weight: Int8[Tensor, "E D"]) -> Tensor:
        """By oneDNN."""
        weights: Tensor = torch.ops.onednn.qlinear_prepack(weight, [self.rows, weight.shape[1]])
        return weights

    def unpacked(self) -> Int8[Tensor, "E D"]:
        """The levels; packed, they lie the other way round."""
        return self.weight.to_dense().T.contiguous()

    def forward(self, x: Real[Tensor, "*S D"]) -> Float[Tensor, "*S E"]:
        """Rows x, float32 or bytes of the range given, to x W^T + b."""
        return self._product(x, ("none", ""), None)

    def activated(self, x: Real[Tensor, "*S D"], activation: nn.Module) -> Real[Tensor, "*S E"]:
        """activation(x W^T + b)."""
        name = kernel_name(activation)
        if name is not None:
            return self._product(x, name, self.output)
        activated: Tensor = activation(self(x))
        return activated

    def _product(
        self, x: Real[Tensor, "*S D"], activation: tuple[str, str], output: Range | None
    ) -> Real[Tensor, "*S E"]:
        levels = x if x.dtype == torch.uint8 else self.given.levels(x)
        out: Tensor = torch.ops.onednn.qlinear_pointwise(
            levels,
            *self.given,
            self.weight,
            self.scale,
            self.zeros,
            self.bias,
            *(output or (1.0, 0)),
            torch.float32 if output is None else torch.uint8,
            activation[0],
            [],
            activation[1],
        )
        return out


@torch.no_grad()
def quantise(model: VisionTransformer, run: Callable[[], object], rows: int) -> None:
    """Put integer layers in place of the encoder's linear ones.

    Weights have a level size per row, activations one per layer, from the least to the largest
    number seen. A layer that was not called stays as it is.

    Args:
        model: Frozen, float32, on a CPU.
        run: Runs it over images that are like those to come.
        rows: Tokens of a batch, for which weights are laid out.
    """
    for name, seen in activation_ranges(model, run).items():
        given = Range.of(seen.low, seen.high)
        put_layer(model, name, Int8Dense(seen.layer, given, rows))
    for module in model.encoder.modules():
        # Between the two layers of an MLP the numbers never leave the kernel but as bytes, unless
        # some of them go to a register on the way.
        if isinstance(module, MLP) and isinstance(module.contract, Int8Dense):
            assert isinstance(module.expand, Int8Dense)
            if isinstance(module.moved, nn.Identity):
                module.expand.output = module.contract.given
