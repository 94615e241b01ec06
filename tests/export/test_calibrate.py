import pytest

from small_models import build, bytes_for, plain
from vitreous.export.calibrate import activation_ranges


@pytest.mark.parametrize("pooling", ["token", "mean"])
def test_every_layer_that_is_called_is_seen(pooling: str) -> None:
    model = build(pooling=pooling)
    seen = activation_ranges(model, lambda: plain(model, bytes_for(model)))
    names = {"attention.qkv", "attention.projection", "mlp.expand", "mlp.contract"}
    expected = {f"blocks.{layer}.{name}" for layer in (0, 1) for name in names}
    sliced = {"blocks.1.attention.qkv"} if pooling == "token" else set()
    assert set(seen) == expected - sliced
