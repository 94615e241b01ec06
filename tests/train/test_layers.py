from dataclasses import replace

import pytest

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.build import create_model, empty_model
from vitreous.model.variants import variant_config
from vitreous.objective.config import MAEConfig, MaskedPatchConfig
from vitreous.objective.mae import MaskedAutoencoder
from vitreous.objective.masked_patch import MaskedPatch
from vitreous.train.config import OptimizerConfig
from vitreous.train.layers import last_layer, layer_of
from vitreous.train.optimizer import build_optimizers

RULE = Preprocessing(size=(8, 8), channels=1, mean=(0.5,), std=(0.5,))


@pytest.mark.parametrize("name", ["ViT-Ti/16", "R26+ViT-S/32", "BiT-R50x1"])
def test_layers_go_from_the_pixels_to_the_head_without_a_gap(name):
    config = variant_config(name)
    names = [n for n, _ in empty_model(config).named_parameters()]
    layers = {n: layer_of(n, config) for n in names}
    assert set(layers.values()) == set(range(last_layer(config) + 1))
    assert layers["head.weight"] == last_layer(config)
    assert layers[empty_model(config).pixel_kernel] == 0


def test_layers_of_a_transformer():
    config = variant_config("R26+ViT-S/32")
    expected = {
        "class_token": 0,
        "position.table": 0,
        "stem.stages.3.1.conv3.weight": 0,
        "encoder.blocks.0.attention.qkv.weight": 1,
        "encoder.blocks.11.mlp.contract.bias": 12,
        "encoder.norm.weight": 13,
    }
    assert {name: layer_of(name, config) for name in expected} == expected


def test_layers_of_a_resnet():
    config = variant_config("BiT-R50x1")
    expected = {"root.weight": 0, "stages.0.2.conv1.weight": 1, "stages.3.0.norm1.bias": 4}
    assert {name: layer_of(name, config) for name in expected} == expected
    assert layer_of("norm.weight", config) == last_layer(config) == 5


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_each_layer_has_its_share_of_the_rate(make_config, name):
    model = create_model(make_config().model)  # of two blocks
    config = OptimizerConfig(
        name=name, learning_rate=1e-2, adam_learning_rate=1e-2, layer_decay=0.5, weight_decay=0.1
    )
    peaks = {
        id(p): group["peak"]
        for optimizer in build_optimizers(model, config)
        for group in optimizer.param_groups
        for p in group["params"]
    }
    for parameter_name, parameter in model.named_parameters():
        share = 0.5 ** (3 - layer_of(parameter_name, model.config))
        assert peaks[id(parameter)] == pytest.approx(1e-2 * share), parameter_name


@pytest.mark.parametrize(
    "objective",
    [
        MaskedPatch(MaskedPatchConfig(), RULE, (2, 2)),
        MaskedAutoencoder(MAEConfig(), RULE, (2, 2)),
    ],
)
def test_what_a_learner_adds_has_the_whole_rate(make_config, objective):
    model = create_model(replace(make_config().model, patch=2, num_classes=0))
    learner = objective.learner(model)
    (optimizer,) = build_optimizers(learner, OptimizerConfig(learning_rate=1.0, layer_decay=0.5))
    peaks = {id(p): group["peak"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in learner.named_parameters():
        if not name.startswith("backbone."):
            assert peaks[id(parameter)] == 1.0, name
    assert peaks[id(model.patch.weight)] == 0.5**3


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(UserError, match=r"optimizer\.layer_decay"):
        OptimizerConfig(layer_decay=share)
