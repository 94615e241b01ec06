from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd.graph import saved_tensors_hooks

from vitreous.errors import UserError
from vitreous.model.bit_config import BiTConfig
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.parallel.device import choose_engine
from vitreous.train.memory import activation_bytes, micro_batch_that_fits

VIT = ViTConfig(
    image_size=(64, 64), patch=8, width=96, depth=6, mlp_width=384, heads=3, num_classes=10
)
CONFIGS = {
    "token": VIT,
    "mean": replace(VIT, pooling="mean"),
    "hybrid": replace(VIT, depth=1, stem=(1, 1), stem_width=32),
    "resnet": BiTConfig(image_size=(64, 64), units=(1, 2), stem_width=32, norm_groups=8),
    "small images": BiTConfig(units=(1, 2), stem_width=32, norm_groups=8, root="plain"),
}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_estimate_is_near_what_autograd_keeps(precision, name):
    config = CONFIGS[name]
    engine = choose_engine("cpu", precision)
    model = create_model(config).train()
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    batch = 16  # activations outweigh the bfloat16 copies of the weights
    with saved_tensors_hooks(keep, lambda tensor: tensor), engine.autocast():
        logits = model(torch.randn(batch, 3, 64, 64))
    ratio = activation_bytes(config, engine, (64, 64)) * batch / sum(kept.values())
    assert logits.requires_grad
    assert 0.8 < ratio < 1.6, ratio


def test_doubling_the_depth_doubles_the_estimate():
    config = ViTConfig()
    engine = choose_engine("cpu", "float32")
    small, large = (
        activation_bytes(replace(config, depth=d), engine, (224, 224)) for d in (12, 24)
    )
    assert large / small == pytest.approx(2, rel=0.01)


@given(need=st.integers(1, 1000), free=st.integers(1, 100_000), batch_size=st.integers(1, 4096))
def test_pieces_fit_and_make_up_the_batch(need, free, batch_size):
    if free < need:
        with pytest.raises(UserError, match="smaller model"):
            micro_batch_that_fits(need, free, batch_size)
        return
    piece = micro_batch_that_fits(need, free, batch_size)
    assert 1 <= piece <= batch_size
    assert piece * need <= free
    fewest = -(-batch_size // max(1, min(free // need, batch_size)))
    assert -(-batch_size // piece) == fewest
