"""The initial model, put where the work is done: one process, DDP or FSDP2."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vitreous.model.build import empty_model
from vitreous.objective.contract import Objective, Trained
from vitreous.parallel.collect import rank, spread, world_size
from vitreous.parallel.device import Engine
from vitreous.parallel.strategy import (
    Strategy,
    compile_blocks,
    fully_shard_blocks,
    recompute,
    replicate,
)
from vitreous.train.average import WeightAverage
from vitreous.train.config import TrainConfig
from vitreous.train.freeze import tune
from vitreous.train.memory import free_for_training
from vitreous.train.plan import step_memory


@dataclass(frozen=True)
class Placement:
    """The model of a run in its places.

    Attributes:
        model: Whose parameters are moved, saved and measured; spread over the ranks under FSDP.
        average: Its running average, where the run keeps one.
        trained: What a training step calls: the model, or DDP around it.
    """

    model: Trained
    average: WeightAverage | None
    trained: nn.Module


def choose_strategy(config: TrainConfig, engine: Engine) -> Strategy:
    """How several ranks share the work: as asked, or whole copies where they fit."""
    if world_size() == 1:
        return "one"
    if config.parallel.strategy != "auto":
        return config.parallel.strategy
    assert config.micro_batch is not None
    copies = step_memory(config, engine, world_size(), "ddp", config.micro_batch)
    return "ddp" if copies.total <= free_for_training(engine) else "fsdp"


def place(
    initial: Trained | None,
    objective: Objective,
    config: TrainConfig,
    strategy: Strategy,
    engine: Engine,
) -> Placement:
    """Put a model in its places.

    Over several ranks the model begins on the meta device, and only the first rank ever holds a
    whole copy more than the strategy keeps.

    Args:
        initial: What is trained, at step 0 on the host; only the first rank's is read.
        objective: Of the run.
        config: Of the run.
        strategy: How it is spread.
        engine: Device and precision.
    """
    if strategy == "one":
        assert initial is not None
        model = initial.to(engine.device)
    else:
        backbone = empty_model(config.model)
        tune(backbone, config.tuning)
        model = objective.learner(backbone)
    average = WeightAverage(model, config.average) if config.average else None
    recompute(model.blocks, config.parallel.activation_checkpointing)
    if config.parallel.compile:
        compile_blocks(model.blocks)
    if strategy == "one":
        return Placement(model, average, model)
    values = {} if initial is None or rank() else initial.state_dict()
    for part in (model, *(() if average is None else (average.model,))):
        if strategy == "fsdp":
            assert isinstance(part, Trained)
            fully_shard_blocks(part, part.blocks, engine)
        part.to_empty(device=engine.device)
        _fill(part, values)
    trained = replicate(model, engine) if strategy == "ddp" else model
    return Placement(model, average, trained)


@torch.no_grad()
def _fill(model: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Give all ranks the first one's values."""
    for name, target in model.state_dict().items():
        blank = torch.empty(target.shape, dtype=target.dtype)
        target.copy_(spread(values.get(name, blank), target))
