import pytest
import torch
from torch.nn import functional as F

from vitreous.model.standardized import CentredConv, StandardizedConv


def draw(conv: torch.nn.Conv2d) -> torch.Tensor:
    """A kernel far from standard, as rows."""
    torch.manual_seed(0)
    conv.weight.data = torch.randn_like(conv.weight) * 5 + 2
    return conv.weight.data.flatten(1)


def test_the_hybrids_add_epsilon_to_the_deviation() -> None:
    conv = StandardizedConv(3, 4, 3)
    rows = draw(conv)
    rows = (rows - rows.mean(1, keepdim=True)) / (rows.std(1, correction=0, keepdim=True) + 1e-5)
    x = torch.randn(2, 3, 6, 6)
    expected = F.conv2d(x, rows.view_as(conv.weight), padding=1)
    torch.testing.assert_close(conv(x), expected)


@pytest.mark.parametrize("eps", [1e-10, 1.0])
def test_bit_adds_epsilon_to_the_variance(eps: float) -> None:
    conv = CentredConv(3, 4, 3, 2, eps=eps)
    rows = draw(conv)
    variance = rows.var(1, correction=0, keepdim=True)
    rows = (rows - rows.mean(1, keepdim=True)) / torch.sqrt(variance + eps)
    x = torch.randn(2, 3, 6, 7)
    expected = F.conv2d(x, rows.view_as(conv.weight), stride=2, padding=1)
    torch.testing.assert_close(conv(x), expected)


@pytest.mark.parametrize(
    ("side", "stride", "margins"),
    [(7, 2, (2, 3, 2, 3)), (3, 2, (0, 1, 0, 1)), (3, 1, (1, 1, 1, 1)), (1, 2, (0, 0, 0, 0))],
)
def test_same_padding_puts_the_odd_margin_at_the_far_end(
    side: int, stride: int, margins: tuple[int, ...]
) -> None:
    conv = StandardizedConv(3, 4, side, stride)
    draw(conv)
    x = torch.randn(2, 3, 8, 12)
    padded = F.pad(x, margins)
    torch.testing.assert_close(conv(x), F.conv2d(padded, conv.kernel(), stride=stride))


def test_no_scale_of_a_kernel_reaches_the_output() -> None:
    conv = CentredConv(3, 4, 3, eps=1e-10)
    draw(conv)
    x = torch.randn(1, 3, 5, 5)
    before = conv(x)
    conv.weight.data.mul_(7).add_(3)
    torch.testing.assert_close(conv(x), before)
