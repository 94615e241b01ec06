from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from vitreous.errors import UserError
from vitreous.model.bit import BiT
from vitreous.model.bit_config import BiTConfig
from vitreous.model.build import create_model
from vitreous.model.recording import Recording

POCKET: dict[str, Any] = {
    "image_size": (32, 48),
    "units": (1, 2),
    "stem_width": 8,
    "norm_groups": 4,
    "num_classes": 5,
}


def pocket(**fields: Any) -> BiTConfig:
    return BiTConfig(**(POCKET | fields))


@pytest.fixture
def shaken() -> Callable[..., BiT]:
    """A small ResNet whose every parameter is random."""

    def make(**fields: Any) -> BiT:
        torch.manual_seed(0)
        model = create_model(pocket(**fields)).double()
        for name, parameter in model.named_parameters():
            torch.nn.init.normal_(parameter, float("norm" in name and "weight" in name), 0.3)
        return model

    return make


def by_hand(state: dict[str, torch.Tensor], x: torch.Tensor, groups: int) -> torch.Tensor:
    """The paper's network in one page, from a state dict."""

    def conv(name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        w = state[f"{name}.weight"]
        w = w - w.mean((1, 2, 3), keepdim=True)
        w = w / torch.sqrt(w.square().mean((1, 2, 3), keepdim=True) + 1e-10)
        return F.conv2d(x, w, stride=stride, padding=w.shape[2] // 2)

    def active(name: str, x: torch.Tensor) -> torch.Tensor:
        g = x.unflatten(1, (groups, -1))
        g = g - g.mean((2, 3, 4), keepdim=True)
        g = g / torch.sqrt(g.square().mean((2, 3, 4), keepdim=True) + 1e-5)
        weight, bias = (state[f"{name}.{part}"].view(1, -1, 1, 1) for part in ("weight", "bias"))
        return (g.flatten(1, 2) * weight + bias).clamp(min=0)

    x = F.max_pool2d(F.pad(conv("root", x, 2), (1, 1, 1, 1)), 3, 2)
    for unit, stride in (("stages.0.0", 1), ("stages.1.0", 2), ("stages.1.1", 1)):
        y = active(f"{unit}.norm1", x)
        if f"{unit}.shortcut.weight" in state:
            x = conv(f"{unit}.shortcut", y, stride)
        y = active(f"{unit}.norm2", conv(f"{unit}.conv1", y))
        y = active(f"{unit}.norm3", conv(f"{unit}.conv2", y, stride))
        x = x + conv(f"{unit}.conv3", y)
    x = active("norm", x).mean((2, 3))
    return x @ state["head.weight"].mT + state["head.bias"]


@pytest.mark.parametrize("size", [(32, 48), (33, 50)])
def test_is_the_network_of_the_paper(shaken: Callable[..., BiT], size: tuple[int, int]) -> None:
    model = shaken()
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = by_hand(model.state_dict(), images, 4)
    torch.testing.assert_close(model(images), expected)


def test_grid_is_that_of_the_last_map(shaken: Callable[..., BiT]) -> None:
    model = shaken()
    for size in ((32, 48), (33, 50), (1, 7)):
        images = torch.randn(1, 3, *size, dtype=torch.float64)
        assert model.stages(model.pool(model.root(images))).shape[2:] == model.config.grid_of(size)
    assert pocket(root="plain").grid == (16, 24)


def test_a_plain_root_keeps_the_sides_of_small_images(shaken: Callable[..., BiT]) -> None:
    model = shaken(root="plain", image_size=8)
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    assert model.root(images).shape == (2, 8, 8, 8)
    assert model(images).shape == (2, 5)


def test_starts_with_zero_logits_and_without_a_head_gives_features() -> None:
    images = torch.randn(2, 3, 32, 48)
    assert not create_model(pocket())(images).any()
    assert create_model(pocket(num_classes=0))(images).shape == (2, 64)


def test_the_seed_makes_the_model() -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(create_model(pocket()).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["root.weight"], states[2]["root.weight"])


def test_what_it_cannot_be_asked() -> None:
    model = create_model(pocket(name="BiT-pocket"))
    images = torch.randn(1, 3, 32, 48)
    with pytest.raises(UserError, match="BiT-pocket is a ResNet and has no attention"):
        model(images, recording=Recording(attention=[-1]))
    with pytest.raises(UserError, match="images have 1 channels, the model takes 3"):
        model(images[:, :1])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"units": ()}, "model.units is"),
        ({"units": (2, 0)}, "model.units is"),
        ({"width_factor": 0}, "model.width_factor is 0"),
        ({"norm_groups": 3}, "model.norm_groups 3 does not divide the 8 channels"),
        ({"root": "deep"}, "model.root is 'deep': choose pooled or plain"),
        ({"kernel_eps": 0.0}, "model.kernel_eps is"),
        ({"kind": "vit"}, "model.kind is 'vit'"),
        ({"channels": 0}, "model.channels is 0"),
    ],
)
def test_a_refusal_names_the_field(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        pocket(**fields)
