from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.cost import multiply_adds
from vitreous.model.recording import Recording
from vitreous.model.resnet import ResNet
from vitreous.model.resnet_config import ResNetConfig
from vitreous.model.variants import variant_config

POCKET: dict[str, Any] = {
    "image_size": (32, 48),
    "units": (1, 2),
    "stem_width": 8,
    "num_classes": 5,
}


def pocket(**fields: Any) -> ResNetConfig:
    return ResNetConfig(**(POCKET | fields))


@pytest.fixture
def shaken() -> Callable[..., ResNet]:
    """A small ResNet whose every number is random, running statistics too."""

    def make(**fields: Any) -> ResNet:
        torch.manual_seed(0)
        model = create_model(pocket(**fields)).double()
        for name, tensor in model.state_dict().items():
            torch.nn.init.normal_(tensor, float("norm.weight" in name), 0.3)
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)
        return model

    return make


def by_hand(state: dict[str, torch.Tensor], x: torch.Tensor, training: bool) -> torch.Tensor:
    """The network in one page, from a state dict."""

    def normed(name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        kernel = state[f"{name}.conv.weight"]
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[2] // 2)
        mean, var = (state[f"{name}.norm.running_{part}"] for part in ("mean", "var"))
        if training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        weight, bias = (state[f"{name}.norm.{part}"] for part in ("weight", "bias"))
        x = (x - mean.view(-1, 1, 1)) / (var.view(-1, 1, 1) + 1e-5).sqrt()
        return x * weight.view(-1, 1, 1) + bias.view(-1, 1, 1)

    x = normed("root", x, 2).clamp(min=0)
    x = F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-torch.inf), 3, 2)
    for unit, stride in (("stages.0.0", 1), ("stages.1.0", 2), ("stages.1.1", 1)):
        last = 2 if f"{unit}.branch.2.conv.weight" in state else 1
        y = x
        for number in range(last + 1):
            strided = number == last - 1  # the 3x3 of a bottleneck, the first of a basic unit
            y = normed(f"{unit}.branch.{number}", y, stride if strided else 1)
            y = y.clamp(min=0) if number < last else y
        if f"{unit}.shortcut.conv.weight" in state:
            x = normed(f"{unit}.shortcut", x, stride)
        x = (x + y).clamp(min=0)
    return x.mean((2, 3)) @ state["head.weight"].mT + state["head.bias"]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("block", ["bottleneck", "basic"])
@pytest.mark.parametrize("size", [(32, 48), (33, 50)])
def test_is_the_network_of_the_paper(
    shaken: Callable[..., ResNet], size: tuple[int, int], block: str, training: bool
) -> None:
    model = shaken(block=block).train(training)
    images = torch.randn(3, 3, *size, dtype=torch.float64)
    expected = by_hand(dict(model.state_dict()), images, training)
    torch.testing.assert_close(model(images), expected)


def test_only_a_basic_first_stage_has_no_projection(shaken: Callable[..., ResNet]) -> None:
    names = {
        block: {n for n in shaken(block=block).state_dict() if n.endswith("shortcut.conv.weight")}
        for block in ("bottleneck", "basic")
    }
    assert names["bottleneck"] - names["basic"] == {"stages.0.0.shortcut.conv.weight"}
    assert names["basic"] == {"stages.1.0.shortcut.conv.weight"}


@pytest.mark.parametrize("block", ["bottleneck", "basic"])
def test_grid_and_width_are_those_of_the_last_map(
    shaken: Callable[..., ResNet], block: str
) -> None:
    model = shaken(block=block).eval()
    for size in ((32, 48), (33, 50), (1, 7)):
        (last,) = model.features(torch.randn(1, 3, *size, dtype=torch.float64))
        assert last.shape[1:] == (model.config.width, *model.config.grid_of(size))


def test_features_are_the_maps_of_the_stages(shaken: Callable[..., ResNet]) -> None:
    model = shaken().eval()
    images = torch.randn(2, 3, 32, 48, dtype=torch.float64)
    first, last = model.features(images, layers="all")
    assert (first.shape, last.shape) == ((2, 32, 8, 12), (2, 64, 4, 6))
    (before_head,) = model.features(images, [1], norm=True)
    torch.testing.assert_close(before_head.mean((2, 3)), model.embed(images))


def test_a_plain_root_keeps_the_sides_of_small_images(shaken: Callable[..., ResNet]) -> None:
    model = shaken(root="plain", image_size=8)
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    assert model.pool(model.root(images)).shape == (2, 8, 8, 8)
    assert model(images).shape == (2, 5)


def test_starts_as_torchvisions() -> None:
    torch.manual_seed(0)
    model = create_model("ResNet-18", num_classes=40)
    assert model.head.weight.abs().max().item() == pytest.approx(512**-0.5, rel=0.01)
    assert model.head.bias.any()
    kernel = model.stages[3][1].branch[1].conv.weight
    assert kernel.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)
    for name, buffer in model.named_buffers():
        assert (buffer == float(name.endswith("var"))).all()


def test_the_seed_makes_the_model() -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(create_model(pocket()).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["root.conv.weight"], states[2]["root.conv.weight"])


@pytest.mark.parametrize(
    ("name", "giga"),
    [("ResNet-18", 1.814), ("ResNet-34", 3.664), ("ResNet-50", 4.089), ("ResNet-101", 7.801)],
)
def test_multiply_adds_are_those_that_torchvision_publishes(name: str, giga: float) -> None:
    assert multiply_adds(variant_config(name)) / 1e9 == pytest.approx(giga, abs=0.001)


@pytest.mark.parametrize(
    "spelling", ["resnet50", "ResNet50", "resnet_50", "RESNET-50", "resnet 50"]
)
def test_spellings(spelling: str) -> None:
    assert variant_config(spelling) == variant_config("ResNet-50")
    assert variant_config("ResNet-50").units == (3, 4, 6, 3)


@pytest.mark.parametrize("name", ["resnet51", "resnet", "resnet50d", "resnext50", "resnetv2_50"])
def test_what_is_no_resnet_here(name: str) -> None:
    with pytest.raises(UserError, match="unknown model"):
        variant_config(name)


def test_what_it_cannot_be_asked() -> None:
    model = create_model(pocket(name="ResNet-pocket"))
    images = torch.randn(2, 3, 32, 48)
    with pytest.raises(UserError, match="ResNet-pocket is a ResNet and has no attention"):
        model(images, recording=Recording(attention=[-1]))
    with pytest.raises(UserError, match="images have 1 channels, the model takes 3"):
        model(images[:, :1])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"units": ()}, "model.units is"),
        ({"units": (2, 0)}, "model.units is"),
        ({"stem_width": 0}, "model.stem_width is 0"),
        ({"root": "deep"}, "model.root is 'deep': choose pooled or plain"),
        ({"block": "wide"}, "model.block is 'wide': choose bottleneck or basic"),
        ({"kind": "bit"}, "model.kind is 'bit'"),
    ],
)
def test_a_refusal_names_the_field(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        pocket(**fields)
