import copy

import pytest
import torch

from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.parallel.strategy import compile_blocks, recompute

CONFIG = ViTConfig(
    image_size=(16, 16),
    patch=4,
    width=32,
    depth=4,
    mlp_width=64,
    heads=2,
    num_classes=5,
    dropout=0.2,
    stochastic_depth=0.3,
)


def gradients(model, images):
    torch.manual_seed(7)
    model.train()(images).square().sum().backward()
    return [parameter.grad for parameter in model.parameters()]


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = create_model(CONFIG)
    torch.nn.init.normal_(model.head.weight)
    return model


@pytest.mark.parametrize("every", [1, 2, 3])
def test_recomputed_blocks_give_the_same_bits(model, every):
    """Dropout and stochastic depth draw the same numbers again."""
    images = torch.randn(6, 3, 16, 16)
    lean = copy.deepcopy(model)
    recompute(lean.encoder.blocks, every)
    assert lean.state_dict().keys() == model.state_dict().keys()
    for ours, theirs in zip(gradients(lean, images), gradients(model, images), strict=True):
        assert torch.equal(ours, theirs)


def kept_bytes(model, images):
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model.train()(images).sum()
    assert loss.requires_grad
    return sum(kept.values())


def test_recomputed_blocks_keep_less(model):
    images = torch.randn(64, 3, 16, 16)
    sizes = []
    for every in (0, 2, 1):
        lean = copy.deepcopy(model)
        recompute(lean.encoder.blocks, every)
        sizes.append(kept_bytes(lean, images))
    assert sizes[0] > 1.5 * sizes[1]
    assert sizes[1] > 1.5 * sizes[2]


@pytest.mark.slow  # a compiler starts
def test_compiled_blocks_give_the_same_numbers(model):
    plain = create_model(type(CONFIG)(**(vars(CONFIG) | {"dropout": 0, "stochastic_depth": 0})))
    plain.load_state_dict(model.state_dict())
    compiled = copy.deepcopy(plain)
    recompute(compiled.encoder.blocks, 2)
    compile_blocks(compiled.encoder.blocks)
    images = torch.randn(6, 3, 16, 16)
    for ours, theirs in zip(gradients(compiled, images), gradients(plain, images), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
