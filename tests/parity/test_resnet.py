"""torchvision's own ResNets beside ours, and timm's relatives of them, which are refused.

Skipped where torchvision or timm cannot be imported; `tests/model/test_resnet.py` runs always.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

import vitreous
from vitreous.errors import UserError
from vitreous.weights.convert import convert
from vitreous.weights.family import Hints
from vitreous.weights.read import Checkpoint
from vitreous.weights.recognise import refuse_unread_config
from vitreous.weights.torchvision_resnet import TORCHVISION_RESNET

pytestmark = pytest.mark.filterwarnings("ignore")
NAMES = ("resnet18", "resnet50")


@pytest.fixture(scope="module")
def torchvision() -> Any:
    return pytest.importorskip("torchvision", reason="compares with torchvision: not installed")


@pytest.fixture(scope="module")
def timm() -> Any:
    return pytest.importorskip("timm", reason="compares with timm: not installed")


def shaken(model: torch.nn.Module) -> torch.nn.Module:
    """Norms and running statistics at random; kernels as they were made."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor, low in (
                (module.weight, 0.2),
                (module.bias, -0.2),
                (module.running_mean, -0.3),
                (module.running_var, 0.5),
            ):
                random = torch.rand(tensor.shape, generator=generator)
                tensor.detach().copy_(low + random * (0.6 if low > 0 else -2 * low))
    return model


def pair_of(torchvision: Any, name: str, folder: Path) -> tuple[Any, Any]:
    torch.manual_seed(0)
    theirs = shaken(getattr(torchvision.models, name)(num_classes=10)).eval()
    save_file(theirs.state_dict(), folder / "theirs.safetensors")
    return theirs, vitreous.load(folder / "theirs.safetensors")


@pytest.mark.parametrize("side", [32, 224])
@pytest.mark.parametrize("name", NAMES)
def test_logits(torchvision: Any, tmp_path: Path, name: str, side: int) -> None:
    theirs, ours = pair_of(torchvision, name, tmp_path)
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = theirs(images)
        assert expected.std() > 0.01
        torch.testing.assert_close(ours(images), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("side", [32, 224])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_of_training(torchvision: Any, tmp_path: Path, name: str, side: int) -> None:
    """Logits of the batch's own statistics, gradients, and what the running ones become."""
    theirs, ours = pair_of(torchvision, name, tmp_path)
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([1, 7])
    losses = []
    for model in (theirs, ours):
        logits = model.train()(images)
        losses.append(F.cross_entropy(logits, labels))
        losses[-1].backward()
    torch.testing.assert_close(losses[1], losses[0], atol=1e-5, rtol=0)
    named = dict(theirs.named_parameters()) | dict(theirs.named_buffers())
    mine = dict(ours.named_parameters()) | dict(ours.named_buffers())
    for rule in TORCHVISION_RESNET.rules(ours.config):
        their, own = named[rule.theirs], mine[rule.ours]
        torch.testing.assert_close(own, their, atol=1e-5, rtol=1e-5)
        if their.grad is not None:
            scale = max(float(their.grad.abs().max()), 1.0)
            torch.testing.assert_close(own.grad, their.grad, atol=1e-5 * scale, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_what_convert_writes(torchvision: Any, tmp_path: Path, name: str) -> None:
    theirs, ours = pair_of(torchvision, name, tmp_path)
    convert(ours, tmp_path / "back", "torchvision")
    fresh = getattr(torchvision.models, name)(num_classes=10).eval()
    fresh.load_state_dict(load_file(tmp_path / "back" / "model.safetensors"))
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(fresh(images), theirs(images))


def of_shapes(model: torch.nn.Module, config: dict[str, Any]) -> Checkpoint:
    """A checkpoint of which only names and shapes are looked at."""

    def unread(name: str) -> torch.Tensor:
        raise AssertionError(f"{name} is read")

    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return Checkpoint(Path("weights.pth"), shapes, unread, config)


def reading(checkpoint: Checkpoint) -> Any:
    assert TORCHVISION_RESNET.recognises(checkpoint)
    return TORCHVISION_RESNET.understand(TORCHVISION_RESNET.repair(checkpoint), Hints())


def test_relatives_are_refused_by_name(torchvision: Any) -> None:
    for name, words in (
        ("resnext50_32x4d", "ResNeXt is not read here"),
        ("wide_resnet50_2", "Wide ResNet is not read here"),
    ):
        with torch.device("meta"):
            model = getattr(torchvision.models, name)()
        with pytest.raises(UserError, match=words):
            reading(of_shapes(model, {}))


def test_no_model_of_timms_is_misread(timm: Any) -> None:
    """Every name of its ResNet module: plain ones are read, all others refused or assumed."""
    read, assumed = [], []
    for name in timm.list_models(module="resnet"):
        with torch.device("meta"):
            model = timm.create_model(name)
        relu = all(isinstance(m.act1, torch.nn.ReLU) for m in model.modules() if hasattr(m, "act1"))
        blurred = any(
            not isinstance(m.aa, torch.nn.Identity) for m in model.modules() if hasattr(m, "aa")
        )
        plain = relu and not blurred
        for config in ({"architecture": name}, {}):
            checkpoint = of_shapes(model, config)
            if not TORCHVISION_RESNET.recognises(checkpoint):
                continue
            try:
                refuse_unread_config(checkpoint)  # as `load` does before a family is asked
                found = reading(checkpoint)
            except UserError:
                continue
            ours = sum(
                p.numel() for p in vitreous.model.build.empty_model(found.config).parameters()
            )
            assert ours == sum(p.numel() for p in model.parameters()), name
            (read if config else assumed).append(name)
            assert plain or not config, name
            assert config or any("plain ResNet" in words for words in found.assumed), name
    assert {"resnet18", "resnet26", "resnet34", "resnet50", "resnet101", "resnet152"} <= set(read)
    assert {"resnetblur50", "resnetaa50"} <= set(assumed) - set(read)
