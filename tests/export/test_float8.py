"""Float8 layers: products equal to those of the same rounded numbers, computed in float32."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from small_models import build, bytes_for, plain
from vitreous.errors import UserError
from vitreous.export import optimized
from vitreous.export.float8 import Float8Dense
from vitreous.model.build import create_model
from vitreous.model.vit import VisionTransformer


def rounded(x: torch.Tensor, scale: torch.Tensor | float) -> torch.Tensor:
    """The nearest float8 numbers at a scale, 448 of it at most."""
    return (x / scale).clamp(-448, 448).to(torch.float8_e4m3fn).float() * scale


@torch.no_grad()
def test_product_of_rounded_numbers() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(64, 48), torch.randn(5, 7, 64)
    largest = float(x.abs().max())
    eight = Float8Dense(layer, largest)
    weight = rounded(layer.weight, float(layer.weight.abs().max()) / 448)
    expected = F.linear(rounded(x, largest / 448), weight, layer.bias)
    found = eight(x)
    # The product leaves the matrix units in bfloat16.
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=2**-7, atol=1e-2)
    for activation in (nn.GELU(), nn.ReLU()):
        activated = eight.activated(x.bfloat16(), activation)
        assert activated.dtype == torch.bfloat16
        after = activation(eight(x.bfloat16()).float())
        torch.testing.assert_close(activated.float(), after, rtol=2**-7, atol=1e-3)


@torch.no_grad()
def test_what_is_larger_than_was_seen_goes_to_the_largest() -> None:
    layer = nn.Linear(16, 16, bias=False)
    eight = Float8Dense(layer, 1.0)
    far, end = (torch.full((1, 16), value) for value in (9.0, 1.0))
    assert torch.equal(eight(far), eight(end))
    assert torch.isfinite(eight(far)).all()


@pytest.fixture
def capable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU multiplies such numbers too, slowly: enough to see the whole way."""
    monkeypatch.setattr(optimized, "_check_float8", lambda model, engine: None)


@pytest.mark.usefixtures("capable")
@pytest.mark.parametrize(
    "changes", [{}, {"pooling": "mean", "class_token": False}, {"activation": "swiglu"}]
)
def test_a_model_stays_near(changes: dict[str, object]) -> None:
    model = build(**changes)
    images = bytes_for(model, 16)
    fast = model.optimize(images, precision="float8", device="cpu")
    assert fast.precision == "float8"
    assert "Float8Dense" in {type(module).__name__ for module in fast.modules()}
    expected = plain(model, images)
    error = (fast(images) - expected).norm() / expected.norm()
    assert 1e-4 < error < 0.1


@pytest.mark.usefixtures("capable")
def test_odd_sides_stay_in_bfloat16() -> None:
    model = build(mlp_width=72)
    fast = model.optimize(bytes_for(model), precision="float8", device="cpu")
    assert isinstance(fast.model, VisionTransformer)
    kinds = {n: type(m).__name__ for n, m in fast.model.encoder.named_modules()}
    assert "Float8Dense" in kinds.values()
    assert kinds["blocks.0.mlp.expand"] != "Float8Dense"


def test_where_it_cannot_be_had() -> None:
    model = build()
    with pytest.raises(UserError, match="needs a GPU that multiplies such numbers"):
        model.optimize(bytes_for(model), precision="float8", device="cpu")
    resnet = create_model("BiT-R50x1", num_classes=2)
    images = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    with pytest.raises(UserError, match="float8 is for Vision Transformers"):
        resnet.optimize(images, precision="float8", device="cpu")
