"""Weights laid out once as oneDNN's kernel reads them, so that no product does it again."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitreous.model.attention import Attention
from vitreous.model.dense import Dense, fused_linear, kernel_has, kernel_name
from vitreous.model.encoder import MLP


class PackedDense(nn.Module):
    """A linear layer for inference on a CPU, whose weights are for the kernel alone."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear, rows: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ops.mkldnn._reorder_linear_weight(layer.weight, rows))
        self.register_buffer("bias", layer.bias)

    def forward(self, x: Float[Tensor, "*S D"]) -> Float[Tensor, "*S E"]:
        """Rows x to x W^T + b."""
        return fused_linear(x, self.weight, self.bias)

    def activated(self, x: Float[Tensor, "*S D"], activation: nn.Module) -> Float[Tensor, "*S E"]:
        """activation(x W^T + b)."""
        name = kernel_name(activation)
        if name is not None:
            return fused_linear(x, self.weight, self.bias, name)
        activated: Tensor = activation(self(x))
        return activated


@torch.no_grad()
def pack(blocks: nn.ModuleList, rows: int, *, whole_last: bool) -> None:
    """Pack the linear layers of encoder blocks, in place.

    Those of other kinds stay, and so do those of a precision that the kernel lacks here.

    Args:
        blocks: Of a frozen model.
        rows: Tokens of a batch, for which the layout is chosen; others are right too.
        whole_last: Whether the last block makes all tokens. Else its packed queries, keys and
            values are read in slices, which a packed kernel has not.
    """
    for layer, block in enumerate(blocks):
        sliced = layer == len(blocks) - 1 and not whole_last
        for module in block.modules():
            names: tuple[str, ...] = ()
            if isinstance(module, Attention):
                names = ("projection",) if sliced else ("qkv", "projection")
            elif isinstance(module, MLP):
                names = ("expand", "contract")
            for name in names:
                linear = getattr(module, name)
                if isinstance(linear, Dense) and kernel_has(linear.weight.dtype):
                    setattr(module, name, PackedDense(linear, rows))
