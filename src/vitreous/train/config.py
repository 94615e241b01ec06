"""Everything that decides a training run: one frozen record, written down as it was resolved."""

import dataclasses
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from vitreous.data.augmentation import Augmentation
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.reading import ReadingOptions
from vitreous.data.workers import Kind, Workers
from vitreous.errors import UserError
from vitreous.model.config import ModelConfig
from vitreous.model.kind import KINDS, config_type
from vitreous.model.one_grid import check_grid
from vitreous.objective.config import OBJECTIVES, ObjectiveConfig, objective_type
from vitreous.train.tuning import TuningConfig

Shape = Literal["cosine", "linear", "constant", "drops"]
Loss = Literal["softmax", "sigmoid"]
ClassWeights = Literal["equal", "auto"]
Result = Literal["last", "best"]
Logger = Literal["none", "wandb", "mlflow"]


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """How gradients become changes of the weights.

    Attributes:
        name: `adamw`, `sgd` (momentum), or `muon` (matrices of the encoder by Muon, everything
            else by AdamW).
        learning_rate: At the peak of the schedule.
        momentum: Of SGD and Muon.
        betas: Of Adam's two averages.
        weight_decay: Never on biases, norms, tokens and positions. Decoupled in AdamW and Muon;
            SGD's is torch's, added to the gradient and so to the momentum (an L2 penalty).
        layer_decay: Each layer's rate is that of the layer behind it times this, from the head,
            whose rate is whole, down to patches and positions (arXiv 2106.08254); 1 is off.
        clip: Largest global norm of the gradient; 0 is off.
        adam_learning_rate: With Muon, the peak for what AdamW trains.
        on_nonfinite: `stop` before the weights move when loss or gradient is not finite, or
            `skip` the batch, halve the rate for a while, and stop only after ten in a row.
    """

    name: Literal["adamw", "sgd", "muon"] = "adamw"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    layer_decay: float = 1.0
    clip: float = 0.0
    adam_learning_rate: float = 1e-3
    on_nonfinite: Literal["stop", "skip"] = "stop"

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        if self.name not in ("adamw", "sgd", "muon"):
            raise UserError(f"optimizer.name is {self.name!r}: choose adamw, sgd or muon")
        if self.on_nonfinite not in ("stop", "skip"):
            raise UserError(f"optimizer.on_nonfinite is {self.on_nonfinite!r}: choose stop or skip")
        for name in ("learning_rate", "adam_learning_rate"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UserError(
                    f"optimizer.{name} is {getattr(self, name)}: give a finite number over 0"
                )
        for name in ("weight_decay", "clip"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UserError(
                    f"optimizer.{name} is {getattr(self, name)}: give a finite number, 0 or more"
                )
        if not 0 <= self.momentum < 1:
            raise UserError(f"optimizer.momentum is {self.momentum}: give 0 to below 1")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise UserError(f"optimizer.betas are {self.betas}: give two numbers, 0 to below 1")
        if not 0 < self.layer_decay <= 1:
            raise UserError(
                f"optimizer.layer_decay is {self.layer_decay}: give a share over 0, at most 1"
            )


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How the learning rate goes over the run.

    Attributes:
        shape: From the peak to the end: `cosine`, `linear`, `constant`, or `drops` to a tenth.
        warmup: Share of the steps over which the rate rises linearly from 0.
        final: The rate at the end, as a share of the peak; not of `constant` and `drops`.
        drops: Shares of the steps at which the rate falls to a tenth, for `drops`.
        sides: Sides of the training images, pixels, one after the other; small images first make
            the early steps cheap (Howard 2018; Tan and Le 2021, arXiv 2104.00298). All steps at
            the model's image size where empty.
        side_starts: Share of the steps at which each of `sides` begins; the first is 0.
    """

    shape: Shape = "cosine"
    warmup: float = 0.05
    final: float = 0.0
    drops: tuple[float, ...] = ()
    sides: tuple[int, ...] = ()
    side_starts: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("drops", "sides", "side_starts"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        starts = self.side_starts
        if len(self.sides) != len(starts) or list(starts) != sorted(starts) or starts[:1] > (0,):
            raise UserError(
                f"schedule.side_starts {starts} do not go with schedule.sides {self.sides}: give "
                "one share a side, rising from 0"
            )
        if not all(start < 1 for start in starts):
            raise UserError(
                f"schedule.side_starts are {starts}: the run ends at 1, give shares below it"
            )
        if self.shape not in get_args(Shape):
            raise UserError(
                f"schedule.shape is {self.shape!r}: choose {', '.join(get_args(Shape))}"
            )
        if (self.shape == "drops") != bool(self.drops):
            raise UserError(
                f"schedule.shape is {self.shape} and schedule.drops are {self.drops}: give drops "
                "for that shape, and only for it"
            )
        if not all(self.warmup <= at < 1 for at in self.drops):
            raise UserError(
                f"schedule.drops are {self.drops}: give shares between the warm-up "
                f"({self.warmup:g}) and 1"
            )
        if not 0 <= self.final <= 1:
            raise UserError(f"schedule.final is {self.final}: give a share, 0 to 1")
        if not 0 <= self.warmup < 1:
            raise UserError(
                f"schedule.warmup is {self.warmup}, a share of the run: give 0 to below 1, or the "
                "rate would never come down"
            )


@dataclass(frozen=True, kw_only=True)
class ParallelConfig:
    """How the work is spread over processes and what is kept in memory; any resume may change it.

    Attributes:
        strategy: Over several processes: `ddp` (a whole model in each), `fsdp` (parameters,
            gradients and optimiser spread over all), or `auto`: ddp where it fits.
        activation_checkpointing: Recompute the inside of every n-th block in the backward pass
            and keep only its input; 1 is every block, 0 none.
        compile: Compile the blocks with torch.compile; the first step takes a minute more.
    """

    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    activation_checkpointing: int = 0
    compile: bool = False

    def __post_init__(self) -> None:
        if self.strategy not in ("auto", "ddp", "fsdp"):
            raise UserError(f"parallel.strategy is {self.strategy!r}: choose auto, ddp or fsdp")
        if self.activation_checkpointing < 0:
            raise UserError(
                f"parallel.activation_checkpointing is {self.activation_checkpointing}: give 0 "
                "(none), 1 (every block) or n (every n-th)"
            )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A whole run. Recipes make it; any field can be overridden by its dotted name.

    Attributes:
        recipe: Which recipe made it.
        data: Address of the data set.
        reading: The user's decisions about how the data is read.
        read_as: What was taken for what, in three lines; filled in.
        weights: Checkpoint to start from; random where None.
        keep_head: Begin with the checkpoint's answers for classes that it knows by name, and zero
            for the others; else the whole head begins at zero.
        excluded: Names of images that are left out of training and validation.
        model: Architecture; its image size is the one to train at.
        objective: What is learnt from: labels, or the images alone.
        preprocessing: From pixels to the model's input in validation and afterwards; its size may
            be larger than the training crops', whose objects look larger (arXiv 1906.06423).
        augmentation: What training does to images.
        optimizer: How weights move.
        schedule: How the learning rate goes.
        parallel: How the work is spread over processes.
        tuning: Which of a trained model's weights move.
        epochs: Times each image is seen; give this or `steps`.
        steps: Optimiser steps; filled in from `epochs` where not given.
        batch_size: Images a step, over all processes.
        micro_batch: Images in the memory of a process at once; gradients are accumulated over
            the rest. Chosen by free memory where not given.
        loss: `softmax` cross-entropy, or a `sigmoid` for each class, summed over the classes;
            images of several labels always take the second.
        class_weights: `equal`, or `auto`: rare classes count more, in inverse proportion to their
            share of the training images; of images of several labels, their presence does.
        initial_bias: First value of the head's bias; -10 with `sigmoid` makes every class
            unlikely at the start.
        label_smoothing: Share of each target spread over all classes; of a `sigmoid`'s targets,
            the share of each yes and no that is moved to the middle between them.
        average: Decay of the running average of the weights, which becomes the result; 0 is off.
        result: Which weights the run hands over: the `last`, or the `best` of its validations.
        patience: Validations without a better one after which the run ends, with the best as its
            result; 0 is off.
        seed: Of everything that is drawn.
        validation_fraction: Share split off for validation where the data has none.
        bad_limit: Share of unreadable images over which the run stops.
        device: `auto`, `cpu`, `cuda`.
        precision: `auto`, `float32` or `bfloat16`.
        workers: Who reads images ahead: `threads`, `processes`, or `auto` (processes on 8 cores or
            more with much to read); changes nothing in the result.
        readers: How many of them in each process; 0: one a core, shared by those of the machine.
        cache_mb: Most decoded pixels that are kept in memory, megabytes; image files that do not
            all fit are decoded again for every crop, in finer detail.
        log_every: Steps between lines of the log; 0: about 200 lines a run.
        validate_every: Epochs between validations; 0: about 20 in a run.
        few_shot: Images a class of the paper's linear few-shot accuracy, measured at each
            validation on frozen features, for any objective; 0: it is not.
        checkpoint_seconds: Time between resumable states.
        checkpoint_keep: How many of the newest states stay on disk.
        checkpoint_every: States at multiples of so many steps are made and stay; 0: none.
        logger: Where the log goes besides metrics.jsonl and TensorBoard: `wandb` or `mlflow`.
    """

    recipe: str
    data: str
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    read_as: tuple[str, ...] = ()
    weights: str | None = None
    keep_head: bool = False
    excluded: tuple[str, ...] = ()
    model: ModelConfig
    preprocessing: Preprocessing
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
    tuning: TuningConfig = field(default_factory=TuningConfig)
    epochs: float | None = None
    steps: int | None = None
    batch_size: int = 128
    micro_batch: int | None = None
    loss: Loss = "softmax"
    class_weights: ClassWeights = "equal"
    initial_bias: float = 0.0
    label_smoothing: float = 0.0
    average: float = 0.0
    result: Result = "last"
    patience: int = 0
    seed: int = 0
    validation_fraction: float = 0.2
    bad_limit: float = 0.01
    device: str = "auto"
    precision: str = "auto"
    workers: Kind = "auto"
    readers: int = 0
    cache_mb: int = 1024
    log_every: int = 0
    validate_every: float = 0.0
    few_shot: int = 0
    checkpoint_seconds: float = 60.0
    checkpoint_keep: int = 2
    checkpoint_every: int = 0
    logger: Logger = "none"

    def __post_init__(self) -> None:
        object.__setattr__(self, "excluded", tuple(self.excluded))
        object.__setattr__(self, "read_as", tuple(self.read_as))
        for name in ("batch_size", "micro_batch", "steps", "checkpoint_keep"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name} is {value}: give at least 1")
        if self.epochs is not None and not 0 < self.epochs < float("inf"):
            raise UserError(f"epochs is {self.epochs}: give a finite number over 0")
        for name in ("label_smoothing", "average", "validation_fraction", "bad_limit"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}: give a share, 0 to below 1")
        for name in _NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < float("inf"):
                raise UserError(f"{name} is {getattr(self, name)}: give a finite number, 0 or more")
        for name, options in _OPTIONS.items():
            if getattr(self, name) not in options:
                raise UserError(f"{name} is {getattr(self, name)!r}: choose {' or '.join(options)}")
        if self.tuning.train != "all" and self.weights is None:
            raise UserError(
                f"tuning.train {self.tuning.train} keeps random weights as they are: give --weights"
            )
        if self.keep_head and (self.weights is None or not self.objective.supervised):
            raise UserError(
                "keep_head keeps answers of a classifier for classes of the same names: give "
                "--weights, and learn from labels"
            )
        Workers(kind=self.workers, count=self.readers or None)
        if self.parallel.compile and getattr(self.model, "stochastic_depth", False):
            raise UserError(
                "parallel.compile is for fixed shapes, and model.stochastic_depth runs another "
                "number of images in each step: give one of them up"
            )
        self.objective.check(self.model)
        for size in (self.preprocessing.size, *((side, side) for side in self.schedule.sides)):
            check_grid(self.model, self.model.grid_of(size))
        if self.model.channels != self.preprocessing.channels:
            raise UserError(
                f"preprocessing.channels {self.preprocessing.channels} is not model.channels "
                f"{self.model.channels}: give the same"
            )

    @property
    def keeps_best(self) -> bool:
        """Whether the best weights are kept, to be the result."""
        return self.result == "best" or self.patience > 0

    def with_length(self, num_images: int) -> "TrainConfig":
        """Fill in steps from epochs, or epochs from steps, for so many training images.

        Raises:
            UserError: Neither is given, or both and they disagree.
        """
        if self.steps is None and self.epochs is None:
            raise UserError("how long is the run: give epochs or steps")
        if self.steps is None:
            assert self.epochs is not None
            steps = max(round(self.epochs * num_images / self.batch_size), 1)
            return dataclasses.replace(self, steps=steps)
        epochs = self.steps * self.batch_size / num_images
        if (
            self.epochs is not None
            and abs(self.epochs * num_images / self.batch_size - self.steps) > 1
        ):
            raise UserError(
                f"epochs {self.epochs:g} and steps {self.steps} disagree for {num_images} images "
                f"in batches of {self.batch_size}: give one of them"
            )
        return dataclasses.replace(self, epochs=epochs)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """Read back `to_dict`.

        Raises:
            UserError: An unknown field, or values that contradict one another.
        """
        # Older runs were begun without these: one process, and classification.
        values = {"parallel": {}, "objective": {}, **values}
        for name, (section, *_) in SECTIONS.items():
            given = values.get(name)
            if name == "model" and isinstance(given, dict):
                section = config_type(given)
            if name == "objective" and isinstance(given, dict):
                section = objective_type(given)
            values[name] = _section(section, name, {} if given is None else given)
        return _section(cls, "", values)


_NOT_NEGATIVE = (
    "seed",
    "checkpoint_every",
    "checkpoint_seconds",
    "cache_mb",
    "log_every",
    "patience",
    "few_shot",
    "readers",
    "validate_every",
)
_OPTIONS: dict[str, tuple[str, ...]] = {
    "loss": get_args(Loss),
    "class_weights": get_args(ClassWeights),
    "result": get_args(Result),
    "logger": get_args(Logger),
}

SECTIONS: dict[str, tuple[type[Any], ...]] = {
    "model": tuple(KINDS.values()),
    "objective": tuple(OBJECTIVES.values()),
    "reading": (ReadingOptions,),
    "preprocessing": (Preprocessing,),
    "augmentation": (Augmentation,),
    "optimizer": (OptimizerConfig,),
    "schedule": (ScheduleConfig,),
    "parallel": (ParallelConfig,),
    "tuning": (TuningConfig,),
}
"""The parts of a config; a model's, and an objective's, is one of several types."""


def _section(section: type[Any], name: str, values: Any) -> Any:
    if not isinstance(values, dict):
        raise UserError(f"config: {name or 'the whole'} is no table of fields")
    known = {field.name for field in fields(section)}
    for unknown in sorted(set(values) - known):
        raise UserError(f"config: unknown field {f'{name}.{unknown}'.lstrip('.')!r}")
    try:
        return section(**values)
    except TypeError as error:
        raise UserError(f"config: {name} {error}") from error
