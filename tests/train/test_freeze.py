"""What is frozen stays; what learns is merged into an ordinary model."""

import copy
from dataclasses import replace

import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.build import create_model, empty_model
from vitreous.model.recording import Recording
from vitreous.train.freeze import plain_tensors, tune
from vitreous.train.tuning import TuningConfig


@pytest.fixture
def model(make_config):
    torch.manual_seed(0)
    made = create_model(make_config().model)
    torch.nn.init.normal_(made.head.weight)
    return made.eval()


def learning(model):
    return {name for name, p in model.named_parameters() if p.requires_grad}


HEAD = {"head.weight", "head.bias"}


def test_all_is_all_and_head_is_the_head(model):
    tune(model, TuningConfig())
    assert learning(model) == {name for name, _ in model.named_parameters()}
    tune(model, TuningConfig(train="head"))
    assert learning(model) == HEAD


def test_last_blocks_bring_the_norm_and_the_head(model):
    tune(model, TuningConfig(train="last_blocks", last_blocks=1))
    last = {name for name, _ in model.named_parameters() if name.startswith("encoder.blocks.1.")}
    assert learning(model) == HEAD | last | {"encoder.norm.weight", "encoder.norm.bias"}


def test_bias_and_attention(model):
    whole = {name for name, _ in model.named_parameters()}
    tune(model, TuningConfig(train="bias"))
    assert learning(model) == HEAD | {name for name in whole if name.endswith("bias")}
    tune(model, TuningConfig(train="attention"))
    attention = {name for name in whole if ".attention." in name}
    assert learning(model) == HEAD | attention | {"position.table"}


def test_attention_brings_the_positions_of_every_layer(make_config):
    model = create_model(replace(make_config().model, position_at="layers"))
    tune(model, TuningConfig(train="attention"))
    tables = {name for name, _ in model.named_parameters() if name.endswith(".table")}
    assert tables == {"position.table", "later_positions.0.table"}
    assert tables <= learning(model)


def test_adapters_start_as_nothing_and_only_they_learn(model):
    images = torch.randn(3, 1, 8, 8)
    before = model(images)
    tune(model, TuningConfig(train="lora", lora_rank=2))
    torch.testing.assert_close(model(images), before, rtol=0, atol=0)
    assert all(name in HEAD or name.endswith((".up", ".down")) for name in learning(model))
    assert len(learning(model)) == 2 + 2 * 2 * model.config.depth


@pytest.mark.parametrize("targets", [("qkv",), ("mlp",), ("qkv", "projection", "mlp")])
@pytest.mark.parametrize("pooling", ["token", "mean"])
def test_merged_and_unmerged_give_the_same_logits(make_config, targets, pooling):
    """Also in the last block, which reads slices of the packed kernel."""
    torch.manual_seed(0)
    config = replace(make_config().model, pooling=pooling)
    model = create_model(config).eval()
    torch.nn.init.normal_(model.head.weight)
    images = torch.randn(4, 1, 8, 8)
    plain = model(images)
    tuning = TuningConfig(train="lora", lora_rank=3, lora_alpha=6, lora_targets=targets)
    tune(model, tuning)
    for name, parameter in model.named_parameters():
        if name.endswith(".up"):
            torch.nn.init.normal_(parameter, std=0.1)
    moved = model(images)
    assert (moved - plain).abs().max() > 1e-2
    recording = Recording(attention=[1])
    torch.testing.assert_close(model(images, recording), moved, rtol=0, atol=1e-5)
    ordinary = empty_model(config)
    tensors = plain_tensors(copy.deepcopy(model).state_dict(), tuning)
    ordinary.load_state_dict(tensors, assign=True)
    torch.testing.assert_close(ordinary.eval()(images), moved, rtol=0, atol=1e-5)


def test_gradients_reach_the_adapters_of_the_last_block(model):
    tune(model, TuningConfig(train="lora"))
    model(torch.randn(2, 1, 8, 8)).square().sum().backward()
    gradients = {n: p.grad for n, p in model.named_parameters() if n.endswith(".up")}
    assert all(gradient.any() for gradient in gradients.values())
    assert all(p.grad is None for n, p in model.named_parameters() if n not in learning(model))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"train": "some"}, "choose all"),
        ({"last_blocks": 0}, "last_blocks is 0"),
        ({"lora_rank": 0}, "lora_rank is 0"),
        ({"lora_targets": ("key",)}, "any of qkv,projection,mlp"),
        ({"lora_alpha": 0.0}, "lora_alpha"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, words):
    with pytest.raises(UserError, match=words):
        TuningConfig(**fields)


def test_a_model_that_cannot_be_tuned_so_says_why(model):
    with pytest.raises(UserError, match="has 2: give fewer"):
        tune(model, TuningConfig(train="last_blocks", last_blocks=3))
    resnet = create_model("BiT-R50x1", units=(1, 1), stem_width=32, num_classes=3)
    with pytest.raises(UserError, match="has none: choose all, head"):
        tune(resnet, TuningConfig(train="lora"))
    tune(resnet, TuningConfig(train="last_blocks"))
    assert "stages.1.0.conv1.weight" in learning(resnet)
    assert "stages.0.0.conv1.weight" not in learning(resnet)


def test_frozen_random_weights_are_refused(make_config):
    with pytest.raises(UserError, match="give --weights"):
        make_config(tuning=TuningConfig(train="head"))
