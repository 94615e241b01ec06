"""A trial that trains: a resolved config on pixels in memory, in a run folder that resumes."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from vitreous.data.sample import Dataset
from vitreous.experiments.checkpoints import check_loads, digest_of
from vitreous.experiments.collection import fingerprint
from vitreous.experiments.results import Outcome
from vitreous.experiments.trial import Trial
from vitreous.model.build import empty_model
from vitreous.parallel.device import choose_engine
from vitreous.train.config import TrainConfig
from vitreous.train.measure import read_history
from vitreous.train.memory import free_for_activations, micro_batch_that_fits
from vitreous.train.plan import image_bytes
from vitreous.train.run_folder import RunFolder
from vitreous.train.schedule import phases
from vitreous.train.spent import Spent

# Where the data lies and how the machine does the work decide no result.
_NO_MATTER = (
    "recipe",
    "data",
    "weights",
    "device",
    "workers",
    "readers",
    "micro_batch",
    "cache_mb",
    "bad_limit",
    "log_every",
    "checkpoint_seconds",
    "checkpoint_keep",
    "checkpoint_every",
    "logger",
    "parallel",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingTrial(Trial):
    """A run of `vitreous train`, and its accuracy on the test part.

    Attributes:
        row: Where its value stands; empty where only others build on it.
        seed: Of the run.
        column: Where its value stands.
        config: Of the run; its seed, data and weights are filled in.
        dataset: Its train part is all trained on.
        start: The trial, or the user's checkpoint, whose weights the run starts from.
    """

    column: str = "accuracy"
    config: TrainConfig
    dataset: Dataset
    start: Trial | Path | None = None

    @property
    def needs(self) -> Sequence[Trial]:
        """The trial that it starts from."""
        return (self.start,) if isinstance(self.start, Trial) else ()

    @cached_property
    def resolved(self) -> TrainConfig:
        """The config as it will be run, but for the path of the weights."""
        config = replace(
            self.config, seed=self.seed, data=self.dataset.address, validation_fraction=0.0
        )
        return config.with_length(len(self.dataset.parts["train"].labels))

    @cached_property
    def flops(self) -> float:
        """By arithmetic, as the run's own log has them."""
        config = self.resolved
        assert config.steps is not None
        stretches = phases(config.schedule, config.model.image_size, config.steps)
        spent = Spent(
            config.model,
            stretches,
            config.batch_size,
            tuning=config.tuning,
            parallel=config.parallel,
        )
        return spent.flops(config.steps)

    @cached_property
    def key(self) -> dict[str, Any]:
        """The resolved config, the data's fingerprint, and what it starts from."""
        config = decided(self.resolved)
        return {
            "kind": "training",
            "config": {name: value for name, value in config.items() if name not in _NO_MATTER},
            "data": fingerprint(self.dataset),
            "start": self._start_digest(),
            "column": self.column,
        }

    def _start_digest(self) -> str | None:
        if isinstance(self.start, Path):
            return digest_of(self.start)
        return None if self.start is None else self.start.digest

    def check(self) -> None:
        """Refuse a checkpoint that cannot be read, and what does not fit into the memory."""
        if isinstance(self.start, Path):
            check_loads(self.start)
        config = self.resolved
        engine = choose_engine(config.device, config.precision)
        parameters = sum(p.numel() for p in empty_model(config.model).parameters())
        sizes = [(side, side) for side in config.schedule.sides] or [config.model.image_size]
        needed = max(image_bytes(config, engine, size) for size in sizes)
        micro_batch_that_fits(needed, free_for_activations(parameters, engine), config.batch_size)

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Train, or go on; what only a resume would need is deleted in the end."""
        import torch
        from rich.console import Console

        from vitreous.train.run import train

        config = self.resolved
        if isinstance(self.start, Path):
            config = replace(config, weights=str(self.start))
        elif self.start is not None:
            config = replace(config, weights=str(finished(self.start) / "run"))
        out = folder / "run"
        if (begun := RunFolder(out)).config.is_file():
            # Data and cache may have been moved meanwhile: what decides is in the trial's key.
            before = begun.read_config()
            config = replace(config, data=before.data, weights=before.weights)
        report = train(config, self.dataset, out, Console(quiet=True), resume=True)
        for spare in ("checkpoints", "tensorboard"):
            shutil.rmtree(out / spare, ignore_errors=True)
        history = read_history(out / "metrics.jsonl")
        seconds = 3600 * history[-1]["device_hours"] if history else 0.0
        engine = choose_engine(config.device, config.precision)
        facts = {
            "curve": _curve(history),
            # In these a number's last bits differ, and the key does not (see TrialCache).
            "threads": torch.get_num_threads(),
            "device": engine.device.type,
            "precision": engine.precision,
        }
        if report is None or "classes" not in report:  # learnt without labels
            return Outcome({}, seconds, self.flops, facts)
        if len(report["classes"]) <= _MOST_CLASSES:
            facts["classes"] = report["classes"]
        return Outcome({self.column: report["accuracy"]}, seconds, self.flops, facts)


def decided(section: Any) -> dict[str, Any]:
    """The fields of a config that are not at their defaults, as plain values.

    A field that a later version adds so leaves the names of finished trials as they were.
    """
    found = {}
    for one in fields(section):
        value = getattr(section, one.name)
        if is_dataclass(value):
            found[one.name] = decided(value)
        elif value != one.default or one.name == "kind":
            found[one.name] = value
    return found


_MOST_CLASSES = 20


def _curve(history: Sequence[Mapping[str, float]]) -> list[list[float]]:
    """Epoch and validation accuracy, where the run validated."""
    return [
        [line["epoch"], line["validation_accuracy"]]
        for line in history
        if "validation_accuracy" in line
    ]


@dataclass(frozen=True, kw_only=True, eq=False)
class AfterTraining(Trial):
    """What is measured on a trained model.

    Attributes:
        row: Where its values stand.
        seed: Of the training.
        start: The training.
        kind: Of measurement; a part of the trial's name in the cache.
    """

    kind: ClassVar[str]
    start: TrainingTrial

    @property
    def needs(self) -> Sequence[Trial]:
        """The training."""
        return (self.start,)

    @cached_property
    def key(self) -> dict[str, Any]:
        """The kind and the training, which decide all where there are no further fields."""
        return {"kind": self.kind, "start": self.start.digest}


@dataclass(frozen=True, kw_only=True, eq=False)
class FewShotTrial(AfterTraining):
    """Linear few-shot accuracy of a trained model's frozen features (section 4.1, "Metrics").

    Attributes:
        row: Where its value stands.
        seed: Of the training; the draws of shots are the same for all.
        column: Where its value stands.
        start: Whose weights.
        dataset: Pixels in memory; shots are drawn from its train part.
        shots: Images a class.
        draws: Of shots; the value is their mean.
    """

    kind = "few-shot"
    column: str = "5-shot"
    dataset: Dataset
    shots: int = 5
    draws: int = 10

    @cached_property
    def key(self) -> dict[str, Any]:
        """The training, the data's fingerprint, shots and draws."""
        return {
            "kind": self.kind,
            "start": self.start.digest,
            "data": fingerprint(self.dataset),
            "shots": self.shots,
            "draws": self.draws,
            "column": self.column,
        }

    def run(self, folder: Path, finished: Callable[[Trial], Path]) -> Outcome:
        """Features in float32, and least squares for each draw."""
        from vitreous.evaluate.probe import probe
        from vitreous.weights.load import load

        model = load(str(finished(self.start) / "run"))
        engine = choose_engine("auto", "float32")
        found = probe(model, self.dataset, "test", engine, shots=(self.shots,), seeds=self.draws)[
            "few_shot"
        ][0]
        return Outcome({self.column: found["accuracy"]}, facts={"of draws": found["accuracies"]})
