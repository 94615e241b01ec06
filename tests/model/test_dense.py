"""The linear layer's kernel gives what PyTorch's own gives, and steps aside when asked for more."""

from unittest.mock import patch

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from vitreous.model import dense as room
from vitreous.model.activation import ACTIVATIONS
from vitreous.model.dense import Dense, dense

needs_kernel = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="PyTorch was built without oneDNN"
)


@pytest.fixture(autouse=True)
def _everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel for layers of any side, as on a processor with AVX-512."""
    monkeypatch.setattr(room, "_LEAST_SIDE", 0)


@pytest.fixture
def layer() -> Dense:
    torch.manual_seed(0)
    return Dense(24, 40)


def _runs(layer: Dense, x: torch.Tensor, activation: nn.Module) -> int:
    """How often the kernel runs."""
    with patch.object(room, "fused_linear", wraps=room.fused_linear) as kernel:
        layer.activated(x, activation)
    return kernel.call_count


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_equals_pytorch(activation: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer, x = Dense(24, 40).to(dtype), torch.randn(3, 5, 24, dtype=dtype)
    module = ACTIVATIONS[activation]()
    expected = module(F.linear(x, layer.weight, layer.bias))
    tolerance = 2e-6 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(layer.activated(x, module), expected, rtol=tolerance, atol=tolerance)


@torch.inference_mode()
def test_slices_of_kernel_and_no_bias(layer: Dense) -> None:
    x = torch.randn(3, 24)
    expected = F.linear(x, layer.weight[8:24])
    torch.testing.assert_close(dense(x, layer.weight[8:24], None), expected)


@torch.inference_mode()
def test_under_autocast_as_pytorch(layer: Dense) -> None:
    x = torch.randn(3, 24)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours, theirs = layer(x), F.linear(x, layer.weight, layer.bias)
    assert ours.dtype == theirs.dtype == torch.bfloat16
    torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-2)


@needs_kernel
@torch.inference_mode()
def test_activation_runs_inside_the_kernel(layer: Dense) -> None:
    x = torch.randn(3, 24)
    with patch.object(F, "gelu", side_effect=AssertionError("a pass of its own")):
        assert _runs(layer, x, nn.GELU()) == 1


@needs_kernel
@pytest.mark.parametrize(("least", "runs"), [(0, 1), (24, 1), (25, 0), (None, 0)])
def test_layers_are_large_enough_for_this_processor(
    layer: Dense, monkeypatch: pytest.MonkeyPatch, least: int | None, runs: int
) -> None:
    monkeypatch.setattr(room, "_LEAST_SIDE", least)
    x = torch.randn(3, 24)
    with torch.inference_mode():
        assert _runs(layer, x, nn.GELU()) == runs
    trained = 1 if least == 0 else 0  # there and back it pays with AVX-512 alone
    assert _runs(layer, x, nn.GELU()) == trained


@needs_kernel
@pytest.mark.parametrize("bias", [True, False])
def test_gradients(bias: bool) -> None:
    torch.manual_seed(0)
    layer, x = Dense(24, 40, bias=bias), torch.randn(2, 3, 24, requires_grad=True)
    assert _runs(layer, x, nn.GELU()) == 1
    inputs = [x, *layer.parameters()]
    found = []
    for linear in (layer, lambda x: F.linear(x, layer.weight, layer.bias)):
        out = F.gelu(linear(x)).square().sum()
        first = torch.autograd.grad(out, inputs, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), inputs)
        found.append((*first, *second))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


needs_bfloat16 = pytest.mark.skipif(
    not room.kernel_has(torch.bfloat16), reason="no bfloat16 products on this processor"
)


@needs_bfloat16
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_under_autocast(bias: bool) -> None:
    """Also where it holds on the way back, and gradients of gradients."""
    torch.manual_seed(0)
    layer, x = Dense(24, 40, bias=bias), torch.randn(2, 3, 24, requires_grad=True)
    inputs = [x, *layer.parameters()]
    found = []
    with torch.autocast("cpu", torch.bfloat16):
        assert _runs(layer, x, nn.GELU()) == 1
        for linear in (layer, lambda x: F.linear(x, layer.weight, layer.bias)):
            out = linear(x)
            assert out.dtype == torch.bfloat16
            first = torch.autograd.grad(out.float().square().sum(), inputs, create_graph=True)
            second = torch.autograd.grad(sum(g.square().sum() for g in first), inputs)
            found.append((*first, *second))
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(
            ours, theirs, rtol=0.02, atol=0.02 * theirs.detach().abs().max().item()
        )


@needs_bfloat16
def test_the_way_back_is_as_precise_as_the_way_there(layer: Dense) -> None:
    """Autocast that holds only on the way back rounds nothing."""
    x = torch.randn(8, 24, requires_grad=True)
    expected = torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()])
    out = layer(x).square().sum()
    with torch.autocast("cpu", torch.bfloat16):
        found = torch.autograd.grad(out, [x, *layer.parameters()])
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@needs_bfloat16
def test_no_copy_of_the_weight_is_kept(layer: Dense) -> None:
    kept = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", torch.bfloat16):
        layer(torch.randn(3, 24))
    rows, weight = kept
    assert rows.dtype == torch.bfloat16
    assert weight.data_ptr() == layer.weight.data_ptr()


@needs_kernel
def test_frozen_layers_pass_gradients_on(layer: Dense) -> None:
    layer.requires_grad_(False)
    x = torch.randn(3, 24, requires_grad=True)
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, layer.weight.sum(0).expand(3, -1))
    assert layer.weight.grad is None


@needs_kernel
@torch.no_grad()
def test_hooks_see_both_modules(layer: Dense) -> None:
    seen = []
    activation = nn.GELU()
    layer.register_forward_hook(lambda module, given, out: seen.append(out))
    activation.register_forward_hook(lambda module, given, out: seen.append(out))
    out = layer.activated(torch.randn(3, 24), activation)
    torch.testing.assert_close(F.gelu(seen[0]), seen[1])
    assert seen[1] is out


@needs_kernel
@torch.no_grad()
def test_whoever_looks_on_sees_pytorchs_products(layer: Dense) -> None:
    x = torch.randn(3, 24)
    with FlopCounterMode(display=False) as counter:
        assert _runs(layer, x, nn.GELU()) == 0
    assert counter.get_total_flops() == 2 * 3 * 24 * 40
    rows = torch.func.vmap(layer)(x)
    torch.testing.assert_close(rows, layer(x))
    torch._C._set_mkldnn_enabled(False)
    try:
        assert _runs(layer, x, nn.GELU()) == 0
    finally:
        torch._C._set_mkldnn_enabled(True)


@torch.no_grad()
def test_no_rows(layer: Dense) -> None:
    assert layer(torch.empty(0, 5, 24)).shape == (0, 5, 40)


@torch.no_grad()
def test_types_that_do_not_fit_are_refused_as_by_pytorch(layer: Dense) -> None:
    with pytest.raises(RuntimeError, match="same dtype"):
        layer(torch.randn(3, 24, dtype=torch.float64))
