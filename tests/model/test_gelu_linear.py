"""The kernel's numbers, and when it is taken."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vitreous.model.gelu_linear import gelu_linear, gelu_linear_takes


@pytest.fixture
def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(24, 40).bfloat16().requires_grad_(False)


def test_gelu_of_the_layer_to_bfloat16(layer: nn.Linear) -> None:
    x = torch.randn(2, 5, 24).bfloat16()
    expected = F.gelu(F.linear(x.float(), layer.weight.float(), layer.bias.float()))
    found = gelu_linear(x, layer.weight, layer.bias)
    assert found.shape == (2, 5, 40)
    torch.testing.assert_close(found.float(), expected, rtol=2**-7, atol=2e-3)


def test_the_compiler_is_told_the_right_shape(layer: nn.Linear) -> None:
    for shape in ((3, 24), (2, 5, 24)):
        arguments = (torch.randn(shape).bfloat16(), layer.weight, layer.bias)
        checks = ("test_schema", "test_faketensor")
        torch.library.opcheck(torch.ops.vitreous.gelu_linear.default, arguments, test_utils=checks)


def test_it_is_for_bfloat16_on_a_gpu_without_gradients(
    layer: nn.Linear, monkeypatch: pytest.MonkeyPatch
) -> None:
    def takes(
        dtype: torch.dtype = torch.bfloat16,
        device: str = "cuda",
        activation: nn.Module | None = None,
        of: nn.Linear = layer,
    ) -> bool:
        x = SimpleNamespace(device=torch.device(device), dtype=dtype)
        plain = getattr(gelu_linear_takes, "__wrapped__", gelu_linear_takes)
        return plain(x, of, activation or nn.GELU())

    assert not takes()  # gradients are on
    with torch.no_grad():
        assert takes()
        assert takes(activation=nn.GELU("tanh"))
        assert not takes(dtype=torch.float32)
        assert not takes(device="cpu")
        assert not takes(activation=nn.ReLU())
        assert not takes(of=nn.Linear(24, 40, bias=False).bfloat16())
        monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: device == "cuda")
        assert not takes()
