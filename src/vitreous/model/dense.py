"""Linear layers by oneDNN's kernel, the activation inside it, where that is the fastest way."""

from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitreous.model.gelu_linear import gelu_linear, gelu_linear_takes

# (name, algorithm) as the kernel calls them.
_NOTHING = ("none", "")
# Weights whose smaller side is at least this are faster by the kernel (benchmarks/dense.md); None
# where nothing was measured: it may lack bfloat16 there, or be the slower way.
_LEAST_SIDE = (
    {"AVX512": 0, "AVX2": 768}.get(torch.backends.cpu.get_cpu_capability())
    if torch.backends.mkldnn.is_available()
    else None
)


def dense(
    x: Float[Tensor, "*S D"], weight: Float[Tensor, "E D"], bias: Float[Tensor, " E"] | None
) -> Float[Tensor, "*S E"]:
    """Rows x to x W^T + b, as `torch.nn.functional.linear`.

    On a CPU PyTorch hands float32 products to a BLAS that is not the fastest on every processor,
    and copies the bias over the output before each; oneDNN's kernel takes the weights as they lie
    (benchmarks/dense.md).
    """
    if not _kernel_takes(x, weight):
        return F.linear(x, weight, bias)
    if not torch.is_grad_enabled():
        return fused_linear(x, weight, bias)
    if _LEAST_SIDE:  # nothing to gain, there and back
        return F.linear(x, weight, bias)
    x = x.to(_product_dtype(x))
    out: Tensor = _DenseWithGradient.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return out


class _DenseWithGradient(torch.autograd.Function):
    """The kernel forward and back; written so that gradients have gradients.

    The weight is kept as it lies, and cast again for the way back where autocast says so: its
    copies in bfloat16 would be 5 % of the memory of a step (benchmarks/memory.md).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.with_bias = bias is not None
        return fused_linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = of_bias = None
        rows = gradient.flatten(0, -2)
        with torch.autocast("cpu", enabled=False):
            if ctx.needs_input_grad[0]:
                of_x = dense(gradient, weight.to(gradient.dtype).t(), None)
            if ctx.needs_input_grad[1]:
                of_weight = rows.t() @ x.flatten(0, -2)
            if ctx.with_bias and ctx.needs_input_grad[2]:
                of_bias = rows.sum(0)
        return of_x, of_weight, of_bias


class Dense(nn.Linear):
    """A linear layer by `dense`."""

    def forward(self, x: Float[Tensor, "*S D"]) -> Float[Tensor, "*S E"]:
        """X W^T + b."""
        return dense(x, self.weight, self.bias)

    def activated(self, x: Float[Tensor, "*S D"], activation: nn.Module) -> Float[Tensor, "*S E"]:
        """Rows x to activation(x W^T + b), in one pass where a kernel knows the activation.

        Who hooks either module sees it called.
        """
        if gelu_linear_takes(x, self, activation):
            if torch.compiler.is_compiling() or not (hooked(self) or hooked(activation)):
                return gelu_linear(x, self.weight, self.bias)
        name = kernel_name(activation)
        plain = name and not torch.is_grad_enabled() and _kernel_takes(x, self.weight)
        if name and plain and not (hooked(self) or hooked(activation)):
            return fused_linear(x, self.weight, self.bias, name)
        activated: Tensor = activation(self(x))
        return activated


def kernel_name(activation: nn.Module) -> tuple[str, str] | None:
    """The name and algorithm of an activation that `fused_linear` knows; None for others."""
    if type(activation) is nn.GELU:
        return "gelu", activation.approximate
    if type(activation) is nn.ReLU:
        return "relu", ""
    return None


def _kernel_takes(x: Tensor, weight: Tensor) -> bool:
    """Whether nothing but numbers and gradients is asked: no trace, no mode that looks on."""
    return (
        not torch.compiler.is_compiling()  # first: some of these would break its graph
        and _LEAST_SIDE is not None
        and x.device.type == "cpu"
        and min(weight.shape) >= _LEAST_SIDE
        and torch._C._get_mkldnn_enabled()
        and torch._C._get_tracing_state() is None
        and type(x) is Tensor
        and type(weight) in (Tensor, nn.Parameter)
        and kernel_has(_product_dtype(x))
        and (torch.is_autocast_enabled("cpu") or x.dtype == weight.dtype)
        and x.numel() > 0
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._functorch.peek_interpreter_stack() is None
    )


@cache
def kernel_has(dtype: torch.dtype) -> bool:
    """Whether oneDNN multiplies numbers of this type on this processor at all."""
    if not torch.backends.mkldnn.is_available():
        return False
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype == torch.float32


def _product_dtype(x: Tensor) -> torch.dtype:
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def fused_linear(
    x: Float[Tensor, "*S D"],
    weight: Float[Tensor, "E D"],
    bias: Float[Tensor, " E"] | None,
    activation: tuple[str, str] = _NOTHING,
) -> Float[Tensor, "*S E"]:
    """activation(x W^T + b) by oneDNN, on a CPU, in float32 or bfloat16, without gradients.

    Args:
        x: Rows.
        weight: As it lies, or packed by oneDNN.
        bias: Added.
        activation: As `kernel_name` gives it.
    """
    dtype = _product_dtype(x)
    x, weight = x.to(dtype), weight.to(dtype)
    bias = None if bias is None else bias.to(dtype)
    name, algorithm = activation
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, name, [], algorithm)
    return out


def hooked(module: nn.Module) -> bool:
    """Whether somebody is to see it called."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or torch.nn.modules.module._has_any_global_hook()
    )
