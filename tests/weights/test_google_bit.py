import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import vitreous
from vitreous.errors import UserError
from vitreous.model.bit import BiT
from vitreous.model.bit_config import BiTConfig
from vitreous.model.build import empty_model
from vitreous.model.variants import variant_config
from vitreous.weights.convert import convert
from vitreous.weights.family import Family, Hints
from vitreous.weights.google_bit import BIG_TRANSFER, GOOGLE_BIT
from vitreous.weights.read import Checkpoint
from vitreous.weights.rule import to_theirs
from vitreous.weights.timm_bit import TIMM_BIT

IMAGES = torch.randn(2, 3, 40, 56, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def resnet() -> Callable[..., BiT]:
    """A narrow ResNet of the official shape, every tensor at random."""

    def make(**fields: Any) -> BiT:
        values = {"units": (2, 1, 1, 1), "stem_width": 32, "num_classes": 5, "image_size": 64}
        model = empty_model(BiTConfig(**(values | fields)), device="cpu").eval()
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=0.2, generator=generator)
        return model

    return make


def test_what_the_tensors_say(golden: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = vitreous.load(golden / "google_bit.npz")
    config, rule = model.config, model.passport.preprocessing
    assert (config.kind, config.units, config.width_factor) == ("bit", (1, 1, 1, 1), 1)
    assert (config.num_classes, config.channels, config.kernel_eps) == (10, 3, 1e-10)
    assert (rule.mean, rule.std, rule.fit) == ((0.5,) * 3, (0.5,) * 3, "squash")
    assert model.passport.origin["layout"] == "bit"
    assert "assumed images of 224 pixels" in caplog.text
    assert vitreous.load(golden / "google_bit.npz", image_size=96).config.image_size == (96, 96)


@pytest.mark.parametrize("to", ["google", "big_transfer"])
def test_comes_back_bit_equal(resnet: Callable[..., BiT], tmp_path: Path, to: str) -> None:
    model = resnet()
    assert convert(model, tmp_path / "out", to).difference == 0
    again = vitreous.load(tmp_path / "out")
    assert again.passport.origin["family"] == to
    assert again.config.units == (2, 1, 1, 1)
    with torch.inference_mode():
        assert torch.equal(again(IMAGES), model(IMAGES))


def test_the_port_keeps_its_head_as_a_convolution(
    resnet: Callable[..., BiT], tmp_path: Path
) -> None:
    convert(resnet(), tmp_path / "port.safetensors", "big_transfer")
    shapes = {name: tuple(t.shape) for name, t in load_file(tmp_path / "port.safetensors").items()}
    assert shapes["head.conv.weight"] == (5, 1024, 1, 1)
    assert shapes["body.block1.unit02.conv2.weight"] == (32, 32, 3, 3)
    assert shapes["body.block1.unit01.downsample.weight"] == (128, 32, 1, 1)
    assert "body.block1.unit02.downsample.weight" not in shapes


def test_files_that_number_their_convolutions(golden: Path, tmp_path: Path) -> None:
    with np.load(golden / "google_bit.npz", allow_pickle=False) as archive:
        arrays = {
            name.replace("standardized_conv2d/", f"standardized_conv2d_{place}/"): archive[name]
            for place, name in enumerate(archive.files)
        }
    np.savez(tmp_path / "numbered.npz", **arrays)
    model = vitreous.load(tmp_path / "numbered.npz")
    usual = vitreous.load(golden / "google_bit.npz")
    with torch.inference_mode():
        assert torch.equal(model(IMAGES), usual(IMAGES))


@pytest.mark.parametrize("name", ["BiT-R50x1", "BiT-R101x3", "BiT-R152x4"])
@pytest.mark.parametrize("family", [GOOGLE_BIT, BIG_TRANSFER, TIMM_BIT])
def test_a_named_variant_is_recognised(family: Family, name: str) -> None:
    config = variant_config(name, num_classes=0, kernel_eps=1e-8)
    tensors = to_theirs(family.rules(config), empty_model(config).state_dict())
    shapes = {theirs: tuple(tensor.shape) for theirs, tensor in tensors}
    reading = family.understand(Checkpoint(Path("x"), shapes, {}.__getitem__), Hints())
    assert replace(reading.config, kernel_eps=1e-8) == config


def test_without_a_unit_it_is_refused(golden: Path, tmp_path: Path) -> None:
    with np.load(golden / "google_bit.npz", allow_pickle=False) as archive:
        arrays = {name.replace("block3/unit01", "block3/unit02"): archive[name] for name in archive}
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(UserError, match="lacks .*block3/unit01"):
        vitreous.load(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"norm_groups": 16}, "norm_groups 16"),
        ({"root": "plain"}, "root 'plain'"),
        ({"units": (1, 1)}, "units"),
    ],
)
def test_what_the_official_code_cannot_say(
    resnet: Callable[..., BiT], tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=f"the layout of google cannot say {words}"):
        convert(resnet(**fields), tmp_path / "x.npz", "google")


def test_each_architecture_has_its_own_layouts(
    resnet: Callable[..., BiT], make: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="no layout of torchvision is of models of kind 'bit'"):
        convert(resnet(), tmp_path / "out", "torchvision")
    with pytest.raises(UserError, match="no layout of big_transfer is of models of kind 'vit'"):
        convert(make(), tmp_path / "out", "big_transfer")


def test_a_new_head_keeps_the_body_and_any_size_works(resnet: Callable[..., BiT]) -> None:
    model = resnet()
    adapted = vitreous.adapt(model, num_classes=3, image_size=48, class_names=("a", "b", "c"))
    assert not adapted(IMAGES).any()
    assert adapted.passport.preprocessing.size == adapted.config.image_size == (48, 48)
    assert adapted.passport.class_names == ("a", "b", "c")
    with torch.inference_mode():
        assert torch.equal(adapted.embed(IMAGES), model.embed(IMAGES))


def test_a_passport_travels(resnet: Callable[..., BiT], tmp_path: Path) -> None:
    model = resnet(units=(1, 1), norm_groups=8, root="plain", image_size=16)
    vitreous.save(model, tmp_path / "model.safetensors")
    again = vitreous.load(tmp_path)
    assert again.config == model.config
    with torch.inference_mode():
        assert torch.equal(again(IMAGES), model(IMAGES))


class TestTimm:
    def test_its_epsilon_is_its_own(self, resnet: Callable[..., BiT], tmp_path: Path) -> None:
        model = resnet(kernel_eps=1e-8)
        convert(model, tmp_path / "out", "timm")
        config = json.loads((tmp_path / "out" / "config.json").read_text())
        assert config["num_classes"] == 5
        again = vitreous.load(tmp_path / "out")
        assert (again.config.kernel_eps, again.passport.origin["family"]) == (1e-8, "timm")
        tensors = load_file(tmp_path / "out" / "model.safetensors")
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        assert shapes["head.fc.weight"] == (5, 1024, 1, 1)
        assert shapes["stages.0.blocks.1.conv2.weight"] == (32, 32, 3, 3)
        assert shapes["stages.0.blocks.0.downsample.conv.weight"] == (128, 32, 1, 1)
        with torch.inference_mode():
            assert torch.equal(again(IMAGES), model(IMAGES))

    def test_small_kernels_do_not_survive_another_epsilon(
        self, resnet: Callable[..., BiT], tmp_path: Path
    ) -> None:
        model = resnet()
        with torch.no_grad():
            model.stages[0][1].conv3.weight.mul_(1e-4)
        with pytest.raises(UserError, match="timm format cannot say kernel_eps 1e-10"):
            convert(model, tmp_path / "out", "timm")
        assert not list(tmp_path.glob("out/*"))

    def test_a_lying_config(self, resnet: Callable[..., BiT], tmp_path: Path) -> None:
        convert(resnet(kernel_eps=1e-8), tmp_path / "x.safetensors", "timm")
        (tmp_path / "x.config.json").write_text(json.dumps({"num_classes": 7}))
        with pytest.raises(UserError, match="num_classes 7, its tensors say 5"):
            vitreous.load(tmp_path / "x.safetensors")
