import torch

from vitreous.model.activation import ACTIVATIONS, QuickGELU, SwiGLU

X = torch.randn(2, 3, 8)


def test_quick_gelu_is_near_gelu_and_not_equal() -> None:
    difference = (QuickGELU()(X) - torch.nn.functional.gelu(X)).abs().max()
    assert 1e-4 < difference < 0.03


def test_swiglu_gates_by_the_first_half() -> None:
    gate, value = X[..., :4], X[..., 4:]
    torch.testing.assert_close(SwiGLU()(X), gate * gate.sigmoid() * value)


def test_each_has_its_name() -> None:
    assert {ACTIVATIONS[name]()(X).shape[-1] for name in ACTIVATIONS if name != "swiglu"} == {8}
