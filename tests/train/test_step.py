from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch.optim import SGD

from vitreous.data.augmentation import Augmentation
from vitreous.model.build import create_model
from vitreous.objective.classify import Classification
from vitreous.objective.contract import Task
from vitreous.parallel.device import Engine, choose_engine
from vitreous.train.config import OptimizerConfig
from vitreous.train.optimizer import build_optimizers
from vitreous.train.step import NonFiniteError, _look_for_themselves, accumulate, move


@pytest.fixture
def parts(make_config):
    config = make_config()
    torch.manual_seed(0)
    model = create_model(replace(config.model, dropout=0.0, stochastic_depth=0.0))
    torch.nn.init.normal_(model.head.weight, std=0.1)
    objective = Classification(10, config.preprocessing, Augmentation())
    task = Task(torch.randn(10, 1, 8, 8), torch.eye(10))
    return model, objective, task, choose_engine("cpu", "float32")


@pytest.fixture(params=["the host looks", "they look for themselves"])
def flagged(request, monkeypatch):
    """Both orders: as on a CPU or over ranks, and as on one GPU."""
    if request.param == "they look for themselves":
        monkeypatch.setattr("vitreous.train.step._look_for_themselves", lambda *_: True)


@pytest.mark.parametrize("micro_batch", [10, 4, 3, 1])
def test_accumulated_gradients_are_the_whole_batchs(parts, micro_batch):
    model, objective, task, engine = parts
    whole = objective.measure(model, task)
    whole.loss.backward()
    expected = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    sums = accumulate(model, objective, task, engine, micro_batch)
    assert float(sums["loss"]) == pytest.approx(float(whole.loss.detach()), rel=1e-5)
    assert float(sums["accuracy"]) == pytest.approx(float(whole.measures["accuracy"]))
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


def test_gradients_are_as_exact_as_the_forward_pass(parts):
    """As on a GPU, where PyTorch would take the convolutions of either in TF32."""
    model, objective, task, _ = parts
    seen = []

    def look(*_):
        seen.append(torch.backends.cudnn.allow_tf32)

    model.register_forward_hook(look)
    model.head.weight.register_hook(look)
    engine = Engine(torch.device("cuda"), "float32", "as asked")
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    accumulate(model, objective, task, engine, 10)
    assert torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = before
    assert seen == [False, False]


def everything(model, optimizers):
    """Weights, and what the optimisers keep."""
    states = [state for o in optimizers for state in o.state_dict()["state"].values()]
    kept = [value for state in states for value in state.values()]
    return [tensor.clone() for tensor in (*model.parameters(), *kept)]


@pytest.mark.parametrize("limit", [0.0, 0.01])
@pytest.mark.usefixtures("flagged")
def test_moves_by_gradients_clipped_to_the_limit_and_tells_the_norm_before(parts, limit):
    model, objective, task, engine = parts
    sums = accumulate(model, objective, task, engine, 10)
    gradients = [p.grad.clone() for p in model.parameters()]
    norm = float(torch.stack([g.norm() for g in gradients]).norm())
    before = [p.detach().clone() for p in model.parameters()]
    result = move(model, [SGD(model.parameters(), lr=1.0, fused=True)], sums, limit)
    assert result.gradient_norm == pytest.approx(norm, rel=1e-5)
    assert result.loss == pytest.approx(float(sums["loss"]))
    assert result.measures == {"accuracy": pytest.approx(float(sums["accuracy"]))}
    share = min(limit / norm, 1) if limit else 1
    for parameter, old, gradient in zip(model.parameters(), before, gradients, strict=True):
        torch.testing.assert_close(parameter, old - share * gradient, rtol=1e-3, atol=1e-6)
        assert parameter.grad is None


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("broken", ["loss", "gradient"])
@pytest.mark.usefixtures("flagged")
def test_what_is_not_finite_is_refused_and_nothing_moves(parts, name, broken):
    model, objective, task, engine = parts
    config = OptimizerConfig(name=name, learning_rate=0.01, weight_decay=0.1)
    optimizers = build_optimizers(model, config)
    move(model, optimizers, accumulate(model, objective, task, engine, 10), 1.0)
    before = everything(model, optimizers)
    images = task.images * (torch.nan if broken == "loss" else 1)
    sums = accumulate(model, objective, Task(images, task.targets), engine, 10)
    says = "the loss is nan"
    if broken == "gradient":
        model.encoder.blocks[1].mlp.expand.weight.grad[0, 0] = torch.inf
        says = r"encoder\.blocks\.1\.mlp\.expand\.weight is not finite$"
    with pytest.raises(NonFiniteError, match=says):
        move(model, optimizers, sums, 1.0)
    after = everything(model, optimizers)
    assert len(after) == len(before)
    assert all(torch.equal(new, old) for new, old in zip(after, before, strict=True))
    model.zero_grad()
    move(model, optimizers, accumulate(model, objective, task, engine, 10), 1.0)
    after = everything(model, optimizers)
    assert not all(torch.equal(new, old) for new, old in zip(after, before, strict=True))


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_with_a_flag_or_without_they_move_alike(parts, name, monkeypatch):
    model, objective, task, engine = parts
    start = {key: value.clone() for key, value in model.state_dict().items()}

    def moved():
        model.load_state_dict(start)
        optimizers = build_optimizers(model, OptimizerConfig(name=name, learning_rate=0.01))
        for _ in range(3):
            move(model, optimizers, accumulate(model, objective, task, engine, 10), 0.1)
        return everything(model, optimizers)

    plain = moved()
    monkeypatch.setattr("vitreous.train.step._look_for_themselves", lambda *_: True)
    # Of gradients that are nothing, as of the keys' biases, Adam makes steps all the same.
    torch.testing.assert_close(moved(), plain, rtol=1e-3, atol=1e-3)


def test_one_gpu_alone_looks_for_itself(parts):
    model = parts[0]
    on_gpu, on_cpu = (SimpleNamespace(device=torch.device(name)) for name in ("cuda", "cpu"))
    for name, able in (("adamw", True), ("muon", True), ("sgd", False)):
        optimizers = build_optimizers(model, OptimizerConfig(name=name))
        assert _look_for_themselves(optimizers, on_gpu) == able
        assert not _look_for_themselves(optimizers, on_cpu)
