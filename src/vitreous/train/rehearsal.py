"""A run before it is begun: its plan, and its time by a few steps; nothing is written."""

import statistics
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from vitreous.data.sample import Dataset
from vitreous.parallel.device import choose_engine
from vitreous.train.config import TrainConfig
from vitreous.train.loop import Loop
from vitreous.train.objectives import build_objective
from vitreous.train.placement import place
from vitreous.train.plan import Memory, step_memory
from vitreous.train.prepare import initial_model, prepare
from vitreous.train.recipes.measured import Expectation, expect
from vitreous.train.run_folder import RunFolder
from vitreous.train.schedule import learning_rate_factor

_STEPS = 10
_MOST_SECONDS = 60.0
# Pieces grow until a step takes so long that larger ones would hardly be faster by the image.
_FIRST_PIECE, _GROWTH, _LONG_STEP = 8, 4, 1.0


@dataclass(frozen=True)
class Rehearsal:
    """What a run would be.

    Attributes:
        config: Resolved.
        images: Of each part, by its name.
        parameters: Of the model.
        learning: Those of them that the run moves, adapters included.
        memory: What a step holds at its height, by arithmetic.
        measured_steps: How many were taken to measure the time.
        images_per_second: The median of them.
        flops: Of the whole run.
        seconds: Of the whole run, validations left out.
        expected: The accuracy that a measured run of the recipe reached.
    """

    config: TrainConfig
    images: dict[str, int]
    parameters: int
    learning: int
    memory: Memory
    measured_steps: int
    images_per_second: float
    flops: float
    seconds: float
    expected: Expectation

    def rates(self, columns: int) -> list[float]:
        """The learning rate at so many points of the run."""
        assert self.config.steps is not None
        last, peak = self.config.steps - 1, self.config.optimizer.learning_rate
        places = (round(last * column / max(columns - 1, 1)) for column in range(columns))
        return [
            peak * learning_rate_factor(self.config.schedule, step, self.config.steps)
            for step in places
        ]


def rehearse(config: TrainConfig, dataset: Dataset, console: Console) -> Rehearsal:
    """Prepare a run, take up to ten of its steps within a minute, and throw all away.

    The steps are of one piece of a batch that takes long or does not fit into memory at once.

    Args:
        config: As it was asked for.
        dataset: Opened from `config.data`.
        console: For what goes wrong while reading.

    Raises:
        UserError: As a run would.
    """
    engine = choose_engine(config.device, config.precision)
    images = sum(
        len(part.labels) for name, part in dataset.parts.items() if name in ("train", "validation")
    )
    config, dataset = prepare(config, dataset, engine)
    assert config.steps is not None
    assert config.micro_batch is not None
    model = initial_model(config, dataset.class_names)
    parameters = sum(p.numel() for p in model.parameters())
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    objective = build_objective(config, dataset, engine)
    placement = place(objective.learner(model), objective, config, "one", engine)
    most = min(config.batch_size, config.micro_batch)
    size = min(_FIRST_PIECE, most)
    while True:
        piece = replace(config, batch_size=size, micro_batch=size)
        folder = RunFolder(Path("rehearsal"))
        loop = Loop(piece, dataset, placement, objective, folder, engine, console)
        # The first step makes the optimiser's averages, and warms what is compiled.
        warm = loop.rehearse(min(2, config.steps), _MOST_SECONDS)[-1]
        if size == most or warm > _LONG_STEP:
            break
        size = min(_GROWTH * size, most)
    seconds = loop.rehearse(min(_STEPS, config.steps), _MOST_SECONDS - warm) or [warm]
    typical = statistics.median(seconds)
    # The first steps may be at a smaller size than later ones: time goes by operations.
    per_operation = typical / loop.spent.flops(1)
    flops = loop.spent.flops(config.steps) * config.batch_size / piece.batch_size
    return Rehearsal(
        config=config,
        images={name: len(part.labels) for name, part in dataset.parts.items()},
        parameters=parameters,
        learning=learning,
        memory=step_memory(config, engine, 1, "one", config.micro_batch),
        measured_steps=len(seconds),
        images_per_second=piece.batch_size / typical,
        flops=flops,
        seconds=flops * per_operation,
        expected=expect(config, images, dataset.num_classes),
    )
