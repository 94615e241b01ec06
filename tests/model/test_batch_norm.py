import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.batch_norm import BatchNorm, NormedConv


def pair() -> tuple[BatchNorm, torch.nn.BatchNorm2d]:
    """Ours and PyTorch's with the same numbers."""
    torch.manual_seed(0)
    ours, theirs = BatchNorm(5), torch.nn.BatchNorm2d(5)
    with torch.no_grad():
        for name in ("weight", "bias", "running_mean", "running_var"):
            value = torch.rand(5) + 0.1
            getattr(ours, name).copy_(value)
            getattr(theirs, name).copy_(value)
    return ours, theirs


def test_is_pytorchs_in_training_and_evaluation() -> None:
    ours, theirs = pair()
    for x in torch.randn(3, 4, 5, 2, 3):
        torch.testing.assert_close(ours(x), theirs(x))
    assert torch.equal(ours.running_mean, theirs.running_mean)
    assert torch.equal(ours.running_var, theirs.running_var)
    x = torch.randn(2, 5, 4, 4)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_running_statistics_by_hand() -> None:
    """A tenth of the way to the mean, and to the unbiased variance."""
    norm = BatchNorm(1)
    norm(torch.tensor([1.0, 3.0]).view(2, 1, 1, 1))
    assert norm.running_mean.item() == pytest.approx(0.1 * 2)
    assert norm.running_var.item() == pytest.approx(0.9 * 1 + 0.1 * 2)


def test_evaluation_and_a_frozen_norm_use_and_keep_the_running_ones() -> None:
    norm, _ = pair()
    x = torch.randn(4, 5, 2, 2)
    kept = norm.running_mean.clone()
    evaluated = norm.eval()(x)
    norm.weight.requires_grad_(False)
    assert torch.equal(norm.train()(x), evaluated)
    assert torch.equal(norm.running_mean, kept)
    norm.weight.requires_grad_(True)
    assert not torch.equal(norm(x), evaluated)
    assert not torch.equal(norm.running_mean, kept)


def test_one_number_a_channel_is_refused_in_training_alone() -> None:
    norm = BatchNorm(3)
    with pytest.raises(UserError, match="cannot train on one image whose map is a single pixel"):
        norm(torch.randn(1, 3, 1, 1))
    assert norm.eval()(torch.randn(1, 3, 1, 1)).isfinite().all()
    assert norm.train()(torch.randn(1, 3, 1, 2)).isfinite().all()


def test_statistics_are_part_of_the_state_and_no_counter_is() -> None:
    assert set(BatchNorm(3).state_dict()) == {"weight", "bias", "running_mean", "running_var"}


def test_weights_of_fewer_digits_are_taken_in_those_of_the_statistics() -> None:
    """As FSDP gathers them."""
    norm, _ = pair()
    x = torch.randn(4, 5, 2, 2)
    expected = norm.eval()(x)
    norm.weight.data, norm.bias.data = norm.weight.data.bfloat16(), norm.bias.data.bfloat16()
    torch.testing.assert_close(norm(x), expected, atol=0.05, rtol=0.02)


def test_starts_as_he_says() -> None:
    """Variance 2 / (features x side^2), and norms that pass on."""
    torch.manual_seed(0)
    conv = NormedConv(64, 32, 3)
    conv.reset_parameters()
    assert conv.conv.weight.std().item() == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.03)
    assert conv.conv.bias is None
    x = torch.randn(2, 64, 5, 5)
    assert (conv.eval()(x) >= 0).all()
    torch.testing.assert_close(conv(x), conv.conv(x).clamp(min=0), atol=1e-4, rtol=1e-4)
