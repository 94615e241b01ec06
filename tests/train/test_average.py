import torch
from torch import nn

from vitreous.model.batch_norm import BatchNorm
from vitreous.train.average import WeightAverage


def test_is_the_closed_form_and_forgets_the_start_quickly():
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(100.0)
    average = WeightAverage(model, 0.9)
    expected = 100.0
    for step, value in enumerate([1.0, 2.0, 3.0]):
        model.weight.data.fill_(value)
        average.update(model, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    torch.testing.assert_close(average.model.weight, torch.full((1, 1), expected))
    assert expected < 5


def test_is_another_model_without_gradients():
    model = nn.Linear(2, 2)
    average = WeightAverage(model, 0.9)
    assert average.model is not model
    assert not any(p.requires_grad for p in average.model.parameters())
    assert not average.model.training


def test_running_statistics_are_averaged_like_weights():
    norm = BatchNorm(2)
    average = WeightAverage(norm, 0.9)
    norm.running_mean.fill_(3.0)
    norm.running_var.fill_(5.0)
    average.update(norm, 0)  # at 1/10 of the start
    torch.testing.assert_close(average.model.running_mean, torch.full((2,), 0.9 * 3))
    torch.testing.assert_close(average.model.running_var, torch.full((2,), 0.1 * 1 + 0.9 * 5))
    assert torch.equal(norm.running_mean, torch.full((2,), 3.0))
