"""A linear layer with its GELU in one kernel, on a GPU, in bfloat16."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

_LIBRARY = torch.library.Library("vitreous", "FRAGMENT")
_LIBRARY.define("gelu_linear(Tensor x, Tensor weight, Tensor bias) -> Tensor")


def gelu_linear(
    x: Float[Tensor, "*S D"], weight: Float[Tensor, "E D"], bias: Float[Tensor, " E"]
) -> Float[Tensor, "*S E"]:
    """gelu(x W^T + b), the GELU where the product's sums are, before they are written.

    cuBLAS has GELU by tanh there, which is within 5e-4 of the exact one: a tenth of what rounding
    to bfloat16 changes at 1. By itself GELU reads and writes the widest tensor of a block once
    more (benchmarks/gpu.md). Without gradients; the compiler takes it as it is.
    """
    out: Tensor = torch.ops.vitreous.gelu_linear(x, weight, bias)
    return out


def gelu_linear_takes(x: Float[Tensor, "*S D"], layer: nn.Linear, activation: nn.Module) -> bool:
    """Whether it is for these: on a GPU, all in bfloat16, nothing to be differentiated."""
    return (
        x.device.type == "cuda"
        and x.dtype == layer.weight.dtype == torch.bfloat16
        and layer.bias is not None
        and isinstance(activation, nn.GELU)
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cuda")
    )


def _by_cublas(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    rows = x.flatten(0, -2)
    out: Tensor = torch._addmm_activation(bias, rows, weight.t(), use_gelu=True)
    return out.view(*x.shape[:-1], weight.shape[0])


def _shape(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return x.new_empty(*x.shape[:-1], weight.shape[0])


_LIBRARY.impl("gelu_linear", _by_cublas, "CompositeExplicitAutograd")
torch.library.register_fake("vitreous::gelu_linear", _shape, lib=_LIBRARY)
