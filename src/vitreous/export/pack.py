"""Weights laid out once as oneDNN's kernel reads them, so that no product does it again."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn

from vitreous.model.attention import Attention
from vitreous.model.dense import Dense, fused_linear, kernel_has, kernel_name
from vitreous.model.encoder import MLP


class Packed(nn.Module, ABC):
    """A layer whose weights are for a kernel alone; copies and pickles hold them as they lie.

    Attributes:
        rows: For how many the weights are laid out.
    """

    weight: Tensor

    def __init__(self, weight: Float[Tensor, "E D"] | Int8[Tensor, "E D"], rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.register_buffer("weight", self.packed(weight))

    @abstractmethod
    def packed(self, weight: Float[Tensor, "E D"] | Int8[Tensor, "E D"]) -> Tensor:
        """Laid out for the kernel."""

    @abstractmethod
    def unpacked(self) -> Float[Tensor, "E D"] | Int8[Tensor, "E D"]:
        """The very numbers that were packed."""

    def __getstate__(self) -> dict[str, Any]:
        """Kernels' own tensors can be neither copied nor pickled."""
        return {**self.__dict__, "_buffers": {**self._buffers, "weight": self.unpacked()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Packs again."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.weight = self.packed(self.weight)


class PackedDense(Packed):
    """A linear layer for inference on a CPU."""

    bias: Tensor | None

    def __init__(self, layer: nn.Linear, rows: int) -> None:
        super().__init__(layer.weight, rows)
        self.register_buffer("bias", layer.bias)

    def packed(self, weight: Float[Tensor, "E D"]) -> Tensor:
        """By oneDNN."""
        weights: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, self.rows)
        return weights

    def unpacked(self) -> Float[Tensor, "E D"]:
        """As in a linear layer."""
        return self.weight.to_dense()

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
