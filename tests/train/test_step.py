from dataclasses import replace

import numpy as np
import pytest
import torch

from vitreous.data.augmentation import Augmentation
from vitreous.model.build import create_model
from vitreous.objective.classify import Classification
from vitreous.objective.contract import Task
from vitreous.parallel.device import choose_engine
from vitreous.train.step import NonFiniteError, accumulate, check_and_clip


@pytest.fixture
def parts(make_config):
    config = make_config()
    torch.manual_seed(0)
    model = create_model(replace(config.model, dropout=0.0, stochastic_depth=0.0))
    torch.nn.init.normal_(model.head.weight, std=0.1)
    objective = Classification(10, config.preprocessing, Augmentation())
    task = Task(torch.randn(10, 1, 8, 8), torch.eye(10))
    return model, objective, task, choose_engine("cpu", "float32")


@pytest.mark.parametrize("micro_batch", [10, 4, 3, 1])
def test_accumulated_gradients_are_the_whole_batchs(parts, micro_batch):
    model, objective, task, engine = parts
    whole = objective.measure(model, task)
    whole.loss.backward()
    expected = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    loss, measures = accumulate(model, objective, task, engine, micro_batch)
    assert loss == pytest.approx(float(whole.loss.detach()), rel=1e-5)
    assert measures["accuracy"] == pytest.approx(float(whole.measures["accuracy"]))
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


def test_clips_to_the_limit_and_tells_the_norm_before(parts):
    model, objective, task, engine = parts
    accumulate(model, objective, task, engine, 10)
    before = np.sqrt(sum(float((p.grad**2).sum()) for p in model.parameters()))
    assert check_and_clip(model, 0.01) == pytest.approx(before, rel=1e-5)
    after = np.sqrt(sum(float((p.grad**2).sum()) for p in model.parameters()))
    assert after == pytest.approx(0.01, rel=1e-3)


def test_no_limit_leaves_gradients_alone(parts):
    model, objective, task, engine = parts
    accumulate(model, objective, task, engine, 10)
    before = model.head.weight.grad.clone()
    check_and_clip(model, 0.0)
    torch.testing.assert_close(model.head.weight.grad, before, rtol=0, atol=0)


def test_a_loss_that_is_not_finite_is_refused(parts):
    model, objective, task, engine = parts
    with pytest.raises(NonFiniteError, match="loss is nan"):
        accumulate(model, objective, Task(task.images * torch.nan, task.targets), engine, 10)


def test_a_gradient_that_is_not_finite_names_its_layer(parts):
    model, objective, task, engine = parts
    accumulate(model, objective, task, engine, 10)
    model.encoder.blocks[1].mlp.expand.weight.grad[0, 0] = torch.inf
    with pytest.raises(NonFiniteError, match=r"encoder\.blocks\.1\.mlp\.expand\.weight"):
        check_and_clip(model, 1.0)
