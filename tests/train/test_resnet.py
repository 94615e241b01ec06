"""ResNets through the same loop as Transformers."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from vitreous.errors import UserError
from vitreous.model.bit_config import BiTConfig
from vitreous.model.build import create_model
from vitreous.model.resnet_config import ResNetConfig
from vitreous.model.variants import variant_config
from vitreous.objective.classify import Classification
from vitreous.train.config import OptimizerConfig, ParallelConfig, TrainConfig
from vitreous.train.layers import last_layer, layer_of
from vitreous.train.optimizer import build_optimizers
from vitreous.train.overrides import override
from vitreous.train.recipes.catalogue import find_recipe
from vitreous.train.recipes.facts import Facts
from vitreous.train.run import train
from vitreous.train.tuning import TuningConfig
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
CLASSIC = ResNetConfig(
    name="ResNet-pocket",
    image_size=(8, 8),
    channels=1,
    num_classes=10,
    units=(1, 1),
    stem_width=4,
    root="plain",
)


@pytest.fixture
def classic_config(make_config):
    return make_config(model=CLASSIC, optimizer=OptimizerConfig(name="sgd", learning_rate=0.1))


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
    assert recipe(replace(facts, model=variant_config("ResNet-50"))).optimizer.name == "sgd"
    assert recipe(replace(facts, model=variant_config("ViT-S/16"))).optimizer.name == "muon"


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@pytest.mark.parametrize("config", [POCKET, CLASSIC], ids=["bit", "resnet"])
def test_kernels_and_head_decay_and_norms_do_not(config, name):
    model = create_model(config)
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


def weights_of(run):
    return load_file(run / "model.safetensors")


def differ(one, other):
    return [name for name in one if not torch.equal(one[name], other[name])]


def test_running_statistics_are_part_of_what_a_run_leaves(
    classic_config, digits, console, run_folder
):
    train(classic_config, digits, run_folder, console)
    model = load(run_folder)
    assert all(not (b == float(n.endswith("var"))).all() for n, b in model.named_buffers())
    assert "BatchNorm takes its statistics of 16 images at a time" in console.file.getvalue()
    # The canary in the file is of the model in evaluation, and was compared on loading.
    assert model.passport.canary


def test_a_run_that_is_resumed_ends_with_the_same_bits(classic_config, digits, console, run_folder):
    config = replace(classic_config, checkpoint_every=5, result="best", validate_every=0.01)
    train(config, digits, run_folder / "whole", console)
    train(config, digits, run_folder / "cut", console)
    for path in (run_folder / "cut" / "checkpoints").glob("step-*12*"):
        path.unlink()
    (run_folder / "cut" / "model.safetensors").unlink()
    train(config, digits, run_folder / "cut", console, resume=True)
    assert not differ(weights_of(run_folder / "whole"), weights_of(run_folder / "cut"))


def test_a_skipped_batch_leaves_no_trace_in_the_statistics(
    classic_config, digits, console, run_folder, monkeypatch
):
    """The batch of step 4 holds NaN; what comes out is finite."""
    prepare = Classification.prepare
    seen = []

    def broken(self, batch, draw):
        task = prepare(self, batch, draw)
        seen.append(task)
        if len(seen) == 5:
            task.images.fill_(torch.nan)
        return task

    monkeypatch.setattr(Classification, "prepare", broken)
    skipping = OptimizerConfig(name="sgd", learning_rate=0.1, on_nonfinite="skip")
    train(replace(classic_config, optimizer=skipping), digits, run_folder, console)
    assert "step 4 skipped" in console.file.getvalue()
    assert all(tensor.isfinite().all() for tensor in weights_of(run_folder).values())


def test_a_head_alone_leaves_the_statistics_as_they_are(
    classic_config, digits, console, run_folder
):
    first, second = run_folder / "first", run_folder / "second"
    train(classic_config, digits, first, console)
    tuning = TuningConfig(train="head")
    train(replace(classic_config, weights=str(first), tuning=tuning), digits, second, console)
    changed = differ(weights_of(first), weights_of(second))
    assert sorted(changed) == ["head.bias", "head.weight"]


def test_one_image_at_a_time_is_refused_in_one_line(classic_config, digits, console, run_folder):
    model = replace(CLASSIC, units=(1, 1, 1, 1))
    config = replace(classic_config, model=model, micro_batch=1)
    with pytest.raises(UserError, match="BatchNorm cannot train on one image.*two images or more"):
        train(config, digits, run_folder, console)


def test_compiled_blocks_are_not_recomputed(classic_config, digits, console, run_folder):
    parallel = ParallelConfig(compile=True, activation_checkpointing=1)
    with pytest.raises(UserError, match="BatchNorm would count a batch twice"):
        train(replace(classic_config, parallel=parallel), digits, run_folder, console)


def test_recomputing_changes_no_bit(classic_config, digits, console, run_folder):
    recomputing = ParallelConfig(activation_checkpointing=1)
    train(classic_config, digits, run_folder / "kept", console)
    train(replace(classic_config, parallel=recomputing), digits, run_folder / "again", console)
    assert not differ(weights_of(run_folder / "kept"), weights_of(run_folder / "again"))


def test_layers_are_the_stages():
    names = {name: layer_of(name, CLASSIC) for name, _ in create_model(CLASSIC).named_parameters()}
    assert names["root.conv.weight"] == names["root.norm.bias"] == 0
    assert names["stages.1.0.branch.0.conv.weight"] == 2
    assert names["head.weight"] == last_layer(CLASSIC) == 3
