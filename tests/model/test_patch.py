from collections.abc import Callable

import torch
from torch.nn import functional as F

from vitreous.model.config import ViTConfig
from vitreous.model.patch import PatchEmbedding


def test_it_is_the_strided_convolution(
    tiny: Callable[..., ViTConfig], images: Callable[..., torch.Tensor]
) -> None:
    patch = PatchEmbedding(tiny(channels=4))
    torch.nn.init.normal_(patch.weight)
    torch.nn.init.normal_(patch.bias)
    x = images(2, 4, 16, 40)
    convolved = F.conv2d(x, patch.weight, patch.bias, stride=8).flatten(2).mT
    torch.testing.assert_close(patch(x), convolved, atol=1e-4, rtol=0)


def test_pixels_may_lie_in_any_order(
    tiny: Callable[..., ViTConfig], images: Callable[..., torch.Tensor]
) -> None:
    patch = PatchEmbedding(tiny())
    patch.reset_parameters()
    x = images()
    last = x.to(memory_format=torch.channels_last)
    window = torch.nn.functional.pad(x, (8, 0, 8, 0))[:, :, 8:, 8:]
    assert torch.equal(patch(last), patch(x))
    assert torch.equal(patch(window), patch(x))


def test_initial_values_are_lecun_normal_cut_at_two_deviations(
    tiny: Callable[..., ViTConfig],
) -> None:
    torch.manual_seed(0)
    patch = PatchEmbedding(tiny(width=300, heads=1))
    patch.reset_parameters()
    std = (3 * 8 * 8) ** -0.5
    assert abs(patch.weight.std().item() / std - 1) < 0.02
    assert patch.weight.abs().max() <= 2 * std / 0.8796
    assert not patch.bias.any()
