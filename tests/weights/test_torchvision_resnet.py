from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import vitreous
from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.resnet import ResNet
from vitreous.model.resnet_config import ResNetConfig
from vitreous.weights.convert import convert
from vitreous.weights.rule import to_theirs
from vitreous.weights.torchvision_resnet import TORCHVISION_RESNET

IMAGES = torch.randn(2, 3, 40, 56, generator=torch.Generator().manual_seed(3))
Tensors = dict[str, torch.Tensor]


def made(**fields: Any) -> ResNet:
    """The smallest ResNet of torchvision's shape, every number at random."""
    torch.manual_seed(0)
    shape = {"units": (2, 1, 1, 1), "num_classes": 5, "block": "basic"}
    model = create_model(ResNetConfig(**(shape | fields))).eval()
    for name, tensor in model.state_dict().items():
        torch.nn.init.uniform_(tensor, *((0.5, 1.5) if "norm.weight" in name else (-0.05, 0.05)))
        if name.endswith("running_var"):
            tensor.add_(1)
    return model


def tensors_of(model: ResNet) -> Tensors:
    named = dict(to_theirs(TORCHVISION_RESNET.rules(model.config), model.state_dict()))
    norms = [name for name in named if name.endswith("running_var")]
    counters = {n.replace("running_var", "num_batches_tracked"): torch.tensor(7) for n in norms}
    return named | counters


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a checkpoint, with a config beside it where there is one."""

    def file(tensors: Tensors, config: str = "", wrapped: str = "") -> Path:
        path = tmp_path / "resnet.pth"
        content: Any = {wrapped + name: tensor for name, tensor in tensors.items()}
        torch.save(content, path)
        if config:
            path.with_suffix(".config.json").write_text(config)
        return path

    return file


def agree(file: Path, model: ResNet) -> vitreous.model.classifier.Classifier:
    again = vitreous.load(file)
    with torch.inference_mode():
        assert torch.equal(again(IMAGES), model(IMAGES))
    return again


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("wrapped", ["", "module.", "model."])
def test_what_the_tensors_say(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture, block: str, wrapped: str
) -> None:
    model = made(block=block, units=(1, 1, 1, 1))
    again = agree(write(tensors_of(model), wrapped=wrapped), model)
    config, rule = again.config, again.passport.preprocessing
    assert (config.kind, config.units, config.block) == ("resnet", (1, 1, 1, 1), block)
    assert (config.num_classes, config.channels, config.root) == (5, 3, "pooled")
    assert (rule.mean[0], rule.crop_fraction, rule.interpolation) == (0.485, 0.875, "bilinear")
    assert again.passport.origin["family"] == "torchvision"
    assumed = " ".join(again.passport.assumptions)
    for words in ("stride on the 3x3", "weights V1", "images of 224 pixels"):
        assert words in assumed
    assert "num_batches_tracked" not in caplog.text


def test_published_sizes_have_their_names(write: Callable[..., Path]) -> None:
    model = made(units=(2, 2, 2, 2))
    assert agree(write(tensors_of(model)), model).config.name == "ResNet-18"


@pytest.mark.parametrize(("file", "side"), [("f37072fd", 256), ("11ad3fa6", 232)])
def test_a_published_file_is_known_by_its_name(
    write: Callable[..., Path], file: str, side: int
) -> None:
    model = made(units=(2, 2, 2, 2))
    path = write(tensors_of(model))
    named = path.rename(path.with_name(f"resnet{18 if side == 256 else 50}-{file}.pth"))
    passport = agree(named, model).passport
    assert passport.preprocessing.crop_fraction == pytest.approx(224 / side)
    assert passport.assumptions[0] == "assumed images of 224 pixels; any size works"
    assert "class names" in " ".join(passport.assumptions[1:])


@pytest.mark.parametrize("place", ["fc.0.", "fc.1.", "fc.linear."])
def test_a_head_in_a_sequential(write: Callable[..., Path], place: str) -> None:
    model = made()
    tensors = {name.replace("fc.", place): t for name, t in tensors_of(model).items()}
    agree(write(tensors), model)


def test_without_a_head_it_gives_features(write: Callable[..., Path]) -> None:
    model = made(num_classes=0)
    assert agree(write(tensors_of(model)), model).config.num_classes == 0


def test_counters_need_not_be_there(write: Callable[..., Path]) -> None:
    model = made()
    tensors = {n: t for n, t in tensors_of(model).items() if "tracked" not in n}
    agree(write(tensors), model)


def test_a_config_of_timms_is_believed(write: Callable[..., Path]) -> None:
    model = made(units=(2, 2, 2, 2))
    config = (
        '{"architecture": "resnet18.a1_in1k", "num_classes": 5, "label_names": '
        '["a", "b", "c", "d", "e"], "pretrained_cfg": {"input_size": [3, 64, 64], '
        '"mean": [0.1, 0.2, 0.3], "std": [1, 1, 1], "crop_pct": 0.95, "interpolation": "bicubic"}}'
    )
    passport = agree(write(tensors_of(model), config), model).passport
    rule = passport.preprocessing
    assert (rule.size, rule.mean, rule.crop_fraction) == ((64, 64), (0.1, 0.2, 0.3), 0.95)
    assert (passport.class_names, rule.interpolation) == (tuple("abcde"), "bicubic")
    assert passport.assumptions == ()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            '{"architecture": "resnetblur18"}',
            "architecture resnetblur18, which is a ResNet whose strides are blurred",
        ),
        ('{"architecture": "resnet18", "num_classes": 6}', "num_classes 6, its tensors say 5"),
        (
            '{"architecture": "resnet18", "model_args": {"act_layer": "silu"}}',
            "changes the plain ResNet by act_layer",
        ),
        ('{"architecture": "resnet18", "global_pool": "max"}', "by global_pool"),
    ],
)
def test_a_config_that_says_more_is_refused(
    write: Callable[..., Path], config: str, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        vitreous.load(write(tensors_of(made(units=(2, 2, 2, 2))), config))


def renamed(old: str, new: str, shape: tuple[int, ...]) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        tensors.pop(old, None)
        tensors[new] = torch.zeros(shape)

    return change


@pytest.mark.parametrize(
    ("block", "change", "words"),
    [
        ("basic", renamed("conv1.weight", "conv1.0.weight", (8, 3, 3, 3)), "stem of several"),
        ("basic", renamed("", "layer1.0.se.fc1.weight", (4, 64, 1, 1)), "squeeze and excitation"),
        ("basic", renamed("", "layer1.0.conv4.weight", (4, 4, 1, 1)), "no layer1.0.conv4.weight"),
        ("basic", renamed("", "classifier.0.weight", (4, 4)), "has no classifier.0.weight"),
        ("basic", renamed("", "attnpool.q_proj.weight", (4, 4)), "of CLIP, with attention"),
        ("basic", renamed("", "fc.2.weight", (5, 5)), "has no fc.2.weight"),
        ("basic", renamed("fc.bias", "bn1.bias", (64,)), "lacks 1 tensor .fc.bias"),
        (
            "basic",
            renamed("", "layer2.0.downsample.1.weight", (128, 64, 1, 1)),
            "ResNet-D's shortcut",
        ),
        ("basic", renamed("bn1.running_mean", "bn1.extra", (64,)), "no bn1.extra|GroupNorm"),
        (
            "bottleneck",
            renamed("", "layer1.0.conv2.weight", (64, 2, 3, 3)),
            "groups .32 of 2 channels.: ResNeXt",
        ),
        ("basic", renamed("", "conv1.weight", (64, 3, 5, 5)), "conv1 is 5x5: 7x7 and 3x3"),
        ("basic", renamed("", "conv1.weight", (64, 3, 3, 3)), '3x3, and nothing .* {"root": "'),
        (
            "basic",
            renamed("layer3.0.bn2.bias", "bn1.weight", (64,)),
            "lacks 1 tensor .layer3.0.bn2",
        ),
    ],
)
def test_relatives_are_refused_by_name(
    write: Callable[..., Path], block: str, change: Callable[[Tensors], None], words: str
) -> None:
    tensors = tensors_of(made(block=block, units=(1, 1, 1, 1)))
    change(tensors)
    with pytest.raises(UserError, match=words) as refused:
        vitreous.load(write(tensors))
    assert "\n" not in str(refused.value)


def test_a_head_of_two_layers_is_refused(write: Callable[..., Path]) -> None:
    tensors = tensors_of(made())
    for part in ("weight", "bias"):
        tensors[f"fc.0.{part}"] = tensors[f"fc.2.{part}"] = tensors.pop(f"fc.{part}")
    with pytest.raises(UserError, match=r"its head has 2 layers with weights \(fc.0, fc.2\)"):
        vitreous.load(write(tensors))


def test_a_root_of_three_pixels_is_plain_where_it_is_said(write: Callable[..., Path]) -> None:
    model = made(root="plain")
    again = agree(write(tensors_of(model), '{"root": "plain"}'), model)
    assert again.config.root == "plain"


def test_groups_and_width_are_told_apart(write: Callable[..., Path]) -> None:
    tensors = tensors_of(made(block="bottleneck", units=(1, 1, 1, 1)))
    tensors["layer1.0.conv1.weight"] = torch.zeros(128, 64, 1, 1)
    tensors["layer1.0.conv2.weight"] = torch.zeros(128, 128, 3, 3)
    with pytest.raises(UserError, match="width 128 behind a root of 64: Wide ResNet"):
        vitreous.load(write(tensors))


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_comes_back_bit_equal(tmp_path: Path, block: str) -> None:
    model = made(block=block, image_size=(64, 48))
    proof = convert(model, tmp_path / "out", "torchvision")
    assert (proof.difference, proof.layout, proof.lost) == (0, "resnet", ())
    again = agree(tmp_path / "out", model)
    assert again.config.image_size == (64, 48)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"units": (1, 1)}, "units"),
        ({"root": "plain"}, "root 'plain'"),
        ({"stem_width": 32}, "stem_width 32"),
    ],
)
def test_what_torchvision_cannot_say(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"cannot say {words}"):
        convert(made(**fields), tmp_path / "out", "torchvision")


def test_other_families_have_no_place_for_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no layout of google is of models of kind 'resnet'"):
        convert(made(), tmp_path / "out", "google")


def test_our_own_file_keeps_the_statistics(tmp_path: Path) -> None:
    model = made(stem_width=8)
    convert(model, tmp_path / "own.safetensors", "vitreous")
    agree(tmp_path / "own.safetensors", model)


def test_adapts_to_other_classes_channels_and_sizes(tmp_path: Path) -> None:
    model = made()
    save_file(tensors_of(model), tmp_path / "model.safetensors")
    again = vitreous.load(tmp_path, num_classes=3, channels=1, image_size=96)
    assert again.config.image_size == (96, 96)
    grey = IMAGES[:, :1]
    with torch.inference_mode():
        assert not again(grey).any()  # a new head is zero
        torch.testing.assert_close(again.embed(grey), model.embed(grey.expand(-1, 3, -1, -1)))
