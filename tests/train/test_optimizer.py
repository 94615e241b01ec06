import pytest
import torch

from vitreous.model.build import create_model
from vitreous.train.config import OptimizerConfig
from vitreous.train.optimizer import build_optimizers, set_learning_rate


@pytest.fixture
def model(make_config):
    return create_model(make_config().model)


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_every_parameter_is_moved_by_exactly_one_group(model, name):
    optimizers = build_optimizers(model, OptimizerConfig(name=name))
    moved = [id(p) for o in optimizers for group in o.param_groups for p in group["params"]]
    assert sorted(moved) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_only_kernels_decay(model, name):
    optimizers = build_optimizers(model, OptimizerConfig(name=name, weight_decay=0.3))
    decays = {
        id(p): group["weight_decay"]
        for o in optimizers
        for group in o.param_groups
        for p in group["params"]
    }
    for parameter_name, parameter in model.named_parameters():
        kernel = parameter_name.endswith("weight") and "norm" not in parameter_name
        assert decays[id(parameter)] == (0.3 if kernel else 0), parameter_name


def test_muon_takes_the_matrices_of_the_encoder(model):
    muon, adamw = build_optimizers(model, OptimizerConfig(name="muon"))
    taken = {id(p) for group in muon.param_groups for p in group["params"]}
    names = {name for name, p in model.named_parameters() if id(p) in taken}
    assert len(names) == 4 * model.config.depth
    assert all(name.startswith("encoder.blocks.") for name in names)
    assert type(adamw).__name__ == "AdamW"


def test_sgd_is_the_papers_momentum(model):
    """v <- 0.9 v + g, w <- w - lr v, without decay (Table 4)."""
    (sgd,) = build_optimizers(model, OptimizerConfig(name="sgd", learning_rate=0.1))
    weight = model.head.weight
    before = weight.detach().clone()
    gradients = [torch.full_like(weight, value) for value in (1.0, 2.0)]
    for gradient in gradients:
        weight.grad = gradient
        sgd.step()
    velocity = 0.9 * gradients[0] + gradients[1]
    expected = before - 0.1 * gradients[0] - 0.1 * velocity
    torch.testing.assert_close(weight.detach(), expected)


def test_each_group_goes_to_its_own_share(model):
    config = OptimizerConfig(name="muon", learning_rate=0.02, adam_learning_rate=0.001)
    optimizers = build_optimizers(model, config)
    set_learning_rate(optimizers, 0.5)
    rates = [group["lr"] for o in optimizers for group in o.param_groups]
    assert rates == pytest.approx([0.01, 0.0005, 0.0005])
