"""ResNets through the same loop as Transformers."""

import json
from dataclasses import replace

import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.bit_config import BiTConfig
from vitreous.model.build import create_model
from vitreous.model.variants import variant_config
from vitreous.train.config import OptimizerConfig, TrainConfig
from vitreous.train.optimizer import build_optimizers
from vitreous.train.overrides import override
from vitreous.train.recipes.catalogue import find_recipe
from vitreous.train.recipes.facts import Facts
from vitreous.train.run import train
from vitreous.weights.load import load, read_passport

POCKET = BiTConfig(
    name="BiT-pocket",
    image_size=(8, 8),
    channels=1,
    num_classes=10,
    units=(1, 1),
    stem_width=4,
    norm_groups=2,
    root="plain",
)


@pytest.fixture
def resnet_config(make_config):
    return make_config(model=POCKET, optimizer=OptimizerConfig(name="sgd", learning_rate=0.1))


def test_a_run_and_its_fine_tuning(resnet_config, digits, console, run_folder):
    first, second = run_folder / "first", run_folder / "second"
    report = train(resnet_config, digits, first, console)
    assert report["model"] == "BiT-pocket"
    assert 'id="mistakes"' in (first / "report.html").read_text()
    assert 'id="attention"' not in (first / "report.html").read_text()
    config = json.loads((first / "config.json").read_text())
    assert config["model"]["kind"] == "bit"
    assert TrainConfig.from_dict(config).model == POCKET
    passport = read_passport(first)
    assert passport.architecture == POCKET
    tuned = find_recipe("finetune")(
        Facts(
            data="digits",
            num_images=1437,
            num_classes=10,
            channels=1,
            weights=str(first),
            trained=(passport.architecture, passport.preprocessing),
        )
    )
    assert tuned.model == replace(POCKET, image_size=(13, 13))
    train(replace(tuned, steps=1, batch_size=8), digits, second, console)
    assert load(second).config == tuned.model


def test_scratch_moves_a_resnet_by_momentum():
    facts = Facts(data="x", num_images=3000, num_classes=5, channels=3)
    recipe = find_recipe("scratch")
    assert recipe(replace(facts, model=variant_config("BiT-R50x1"))).optimizer.name == "sgd"
    assert recipe(replace(facts, model=variant_config("ViT-S/16"))).optimizer.name == "muon"


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_kernels_and_head_decay_and_norms_do_not(name):
    model = create_model(POCKET)
    (optimizer,) = build_optimizers(model, OptimizerConfig(name=name, weight_decay=0.3))
    decays = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert len(decays) == len(list(model.parameters()))
    for parameter_name, parameter in model.named_parameters():
        kernel = "norm" not in parameter_name and parameter_name.endswith("weight")
        assert decays[id(parameter)] == (0.3 if kernel else 0), parameter_name


def test_muon_has_nothing_to_move_in_a_resnet():
    with pytest.raises(UserError, match="muon moves the matrices of an encoder.* adamw or sgd"):
        build_optimizers(create_model(POCKET), OptimizerConfig(name="muon"))


def test_a_pocket_resnet_is_a_config(resnet_config):
    changed = override(resnet_config, {"model.units": "1,2,1", "model.stem_width": "16"})
    assert (changed.model.units, changed.model.width) == ((1, 2, 1), 256)
    with pytest.raises(UserError, match=r"--model.patch is no field of BiT-pocket: .*units"):
        override(resnet_config, {"model.patch": "4"})


def test_a_vit_has_no_units(make_config):
    with pytest.raises(UserError, match=r"--model.units is no field of ViT: known are .*patch"):
        override(make_config(), {"model.units": "1,1"})


def test_fits_a_batch():
    torch.manual_seed(0)
    model = create_model(replace(POCKET, num_classes=2))
    (optimizer,) = build_optimizers(model, OptimizerConfig(name="sgd", learning_rate=0.1))
    images, labels = torch.randn(16, 1, 8, 8), torch.arange(16) % 2
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[0] == pytest.approx(0.6931, abs=1e-3)
    assert losses[-1] < 0.1
