from dataclasses import replace

import pytest
import torch

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.variants import variant_config
from vitreous.parallel.device import choose_engine
from vitreous.parallel.strategy import recompute
from vitreous.train import memory, placement, prepare
from vitreous.train.config import OptimizerConfig, ParallelConfig, TrainConfig
from vitreous.train.optimizer import build_optimizers
from vitreous.train.plan import _SLACK, find_plan, piece_that_fits, step_memory

GIB = 2**30
FLOAT32 = choose_engine("cpu", "float32")


def config_of(model: ViTConfig, **changes) -> TrainConfig:
    rule = Preprocessing(size=model.image_size)
    return TrainConfig(recipe="scratch", data="x", model=model, preprocessing=rule, **changes)


MEDIUM = ViTConfig(
    image_size=(64, 64), patch=8, width=96, depth=6, mlp_width=384, heads=3, num_classes=10
)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_what_is_kept_between_steps_is_exact(name):
    config = config_of(MEDIUM, optimizer=OptimizerConfig(name=name))
    model = create_model(MEDIUM)
    (optimizer,) = build_optimizers(model, config.optimizer)
    model(torch.randn(2, 3, 64, 64)).sum().backward()
    optimizer.step()
    memory = step_memory(config, FLOAT32, 1, "one", 2)
    parameters = list(model.parameters())
    assert memory.weights == sum(p.nbytes for p in parameters)
    assert memory.gradients == sum(p.grad.nbytes for p in parameters)
    kept = [t for s in optimizer.state.values() for t in s.values() if t.ndim]
    assert memory.optimizer == sum(t.nbytes for t in kept)


@pytest.mark.parametrize("every", [0, 1, 3])
def test_activations_are_near_what_autograd_keeps(every):
    model = create_model(MEDIUM).train()
    recompute(model.encoder.blocks, every)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(torch.randn(16, 3, 64, 64))
    assert logits.requires_grad
    config = config_of(MEDIUM, parallel=ParallelConfig(activation_checkpointing=every))
    planned = step_memory(config, FLOAT32, 1, "one", 16).activations / _SLACK
    whole = step_memory(config_of(MEDIUM), FLOAT32, 1, "one", 16).activations / _SLACK
    transient = whole / MEDIUM.depth if every else 0  # the block that is being recomputed
    assert 0.8 < (planned - transient) / sum(kept.values()) < 1.6


def test_the_plan_of_the_huge_model_grows_leaner_as_memory_shrinks():
    huge = variant_config("ViT-H/14")
    engine = replace(FLOAT32, precision="bfloat16", device=torch.device("cuda"))
    config = config_of(huge, batch_size=1024)
    plans = [find_plan(config, engine, 8, room * GIB) for room in (300, 70, 20, 8, 3)]
    assert [p.strategy for p in plans][:1] == ["ddp"]
    assert plans[-1].strategy == "fsdp"
    assert plans[-1].activation_checkpointing == 1
    for plan, room in zip(plans, (300, 70, 20, 8, 3), strict=True):
        assert plan.memory.total <= room * GIB
        assert 1 <= plan.micro_batch <= 128
    with pytest.raises(UserError, match="ViT-H/14 needs .* 8 processes .* 1.0 GiB are free"):
        find_plan(config, engine, 8, GIB)
    assert str(plans[-1]).startswith("fsdp, all blocks recomputed")
    assert "recomputed, 1 image at once: " in str(replace(plans[-1], micro_batch=1))
    assert "recomputed, 2 images at once: " in str(replace(plans[-1], micro_batch=2))


@pytest.mark.parametrize(
    ("name", "room", "strategy"),
    [("ViT-L/16", 107, "ddp"), ("ViT-H/14", 107, "ddp"), ("ViT-H/14", 12, "fsdp")],
)
def test_pieces_are_cut_for_whole_copies_where_these_fit(name, room, strategy, monkeypatch):
    """A piece for shares of the model would be larger, and leave copies no room."""
    engine = replace(FLOAT32, precision="bfloat16", device=torch.device("cuda"))
    config = config_of(variant_config(name), batch_size=4096)
    piece = piece_that_fits(config, engine, 8, room * GIB)
    assert 1 <= piece <= 512
    monkeypatch.setattr(placement, "world_size", lambda: 8)
    monkeypatch.setattr(placement, "free_for_training", lambda engine: room * GIB)
    assert placement.choose_strategy(replace(config, micro_batch=piece), engine) == strategy
    assert step_memory(config, engine, 8, strategy, piece).total <= room * GIB


def test_a_piece_by_the_strategy_that_is_asked_for():
    engine = replace(FLOAT32, precision="bfloat16", device=torch.device("cuda"))
    config = config_of(variant_config("ViT-H/14"), batch_size=4096)
    shared = replace(config, parallel=ParallelConfig(strategy="fsdp"))
    assert piece_that_fits(shared, engine, 8, 40 * GIB) > piece_that_fits(
        config, engine, 8, 40 * GIB
    )
    copies = replace(config, parallel=ParallelConfig(strategy="ddp"))
    with pytest.raises(UserError, match="ViT-H/14 needs .* 8 processes .* 9.0 GiB are free"):
        piece_that_fits(copies, engine, 8, 9 * GIB)


def test_what_does_not_fit_is_told_the_plan_that_does(monkeypatch):
    one = {every: step_memory(recomputing(every), FLOAT32, 1, "one", 1).total for every in (0, 1)}
    room = (one[0] + one[1]) // 2
    for module in (prepare, memory):
        monkeypatch.setattr(module, "free_for_training", lambda engine: room)
    with pytest.raises(
        UserError, match="fit into memory .*: --parallel.activation_checkpointing 1"
    ):
        prepare._piece(recomputing(0), FLOAT32)
    assert prepare._piece(recomputing(1), FLOAT32) >= 1
    lean = replace(recomputing(0), optimizer=OptimizerConfig(name="sgd"))
    room = int(1.1 * step_memory(lean, FLOAT32, 1, "one", 1).total)
    assert prepare._piece(lean, FLOAT32) >= 1, "where an optimiser that keeps more would not fit"
    room = one[1] // 2
    with pytest.raises(UserError, match="needs .* 1 processes for one image at a time"):
        prepare._piece(recomputing(0), FLOAT32)


def recomputing(every: int) -> TrainConfig:
    """Wide images for a small model: what is kept of them outweighs its weights."""
    model = replace(MEDIUM, image_size=(256, 256))
    return config_of(model, parallel=ParallelConfig(activation_checkpointing=every))
