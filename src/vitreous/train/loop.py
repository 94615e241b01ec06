"""The training loop: batch, step, log, validate, save."""

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from rich.console import Console

from vitreous.data.batch import Batch
from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader, TrainingLoader
from vitreous.data.read_ahead import telling_of_readers
from vitreous.data.sample import Dataset
from vitreous.data.workers import Workers
from vitreous.evaluate.inference import infer
from vitreous.evaluate.validation import measure
from vitreous.model.classifier import Classifier
from vitreous.parallel.device import Engine
from vitreous.train.average import WeightAverage
from vitreous.train.best import Standing, standing
from vitreous.train.config import TrainConfig
from vitreous.train.goal import choose_objective
from vitreous.train.measure import Journal
from vitreous.train.optimizer import build_optimizers, set_learning_rate
from vitreous.train.run_folder import RunFolder
from vitreous.train.schedule import learning_rate_factor, phases
from vitreous.train.spent import Spent
from vitreous.train.state import TrainingState
from vitreous.train.step import NonFiniteError, StepResult, accumulate, check_and_clip
from vitreous.train.stop import StoppedError, StopRequest
from vitreous.train.tracker import open_tracker

# Streams of randomness of a step, beside the samples' own.
_DROPOUT, _MIXING = 1, 2
_VALIDATION_BATCH = 128


class Loop:
    """A prepared run, step by step.

    Everything random in a step is a function of (seed, step), and the order of the images of
    (seed, position), so a run goes on from `state` as if it had never stopped.
    """

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        model: Classifier,
        folder: RunFolder,
        engine: Engine,
        console: Console,
    ) -> None:
        assert config.steps is not None
        assert config.micro_batch is not None
        self.config, self.dataset, self.folder, self.engine = config, dataset, folder, engine
        self.console = console
        self.steps, self.micro_batch = config.steps, config.micro_batch
        part = dataset.parts["train"]
        self.images = len(part.labels)
        model = model.to(engine.device)
        average = WeightAverage(model, config.average) if config.average else None
        optimizers = build_optimizers(model, config.optimizer)
        self.state = TrainingState(model, optimizers, average)
        self.objective = choose_objective(config, dataset)
        self.phases = phases(config.schedule, config.model.image_size, self.steps)
        self.spent = Spent(config.model, self.phases, config.batch_size)
        largest = max((phase.size for phase in self.phases), key=max)
        self.loader = TrainingLoader(
            part,
            replace(config.preprocessing, size=largest),
            config.augmentation,
            batch_size=config.batch_size,
            seed=config.seed,
            faults=Faults(self.images, config.bad_limit),
            workers=self._workers(),
            cache_bytes=config.cache_mb << 20,
        )
        self.log_every = config.log_every or max(self.steps // 200, 1)
        every = config.validate_every * self.images / config.batch_size
        self.validate_every = max(round(every or self.steps / 20), 1)

    def journal(self) -> Journal:
        """The run's log, continued at the state's step."""
        self.log = Journal(
            self.folder.metrics,
            step=self.state.step,
            steps=self.steps,
            tensorboard=self.folder.path / "tensorboard",
            console=self.console,
            tracker=open_tracker(self.config.logger, self.folder.path, self.config.to_dict()),
        )
        return self.log

    @property
    def standing(self) -> Standing:
        """How the validations have gone so far."""
        return standing(self.log.history)

    def fit(self, request: StopRequest) -> None:
        """All steps that are left; the state is saved by the clock, at a stop and at the end."""
        with telling_of_readers(self.loader.workers):
            self._fit(request)

    def rehearse(self, count: int, most_seconds: float) -> list[float]:
        """Take the first steps for their time alone.

        Args:
            count: At most so many.
            most_seconds: No further one is begun after this time.

        Returns:
            Seconds of each, the wait for data included.
        """
        seconds = list[float]()
        begin = time.perf_counter()
        with telling_of_readers(self.loader.workers), closing(self._batches()) as batches:
            for batch in islice(batches, count):
                self._step(batch)
                now = time.perf_counter()
                seconds.append(now - begin)
                begin = now
                if sum(seconds) > most_seconds:
                    break
        return seconds

    def _fit(self, request: StopRequest) -> None:
        state, saved = self.state, time.perf_counter()
        if self._exhausted():
            return
        logged, since = state.seconds, list[StepResult]()
        begin = time.perf_counter()
        for batch in self._batches():
            since.append(self._step(batch))
            state.seconds += time.perf_counter() - begin  # the wait for data included
            self.log.advance(state.step)
            done = state.step == self.steps
            if done or state.step % self.log_every == 0:
                self.log.write(self._training_line(since, state.seconds - logged))
                logged, since = state.seconds, []
            if done or state.step % self.validate_every == 0:
                self._validate()
                done = done or self._exhausted()
            due = time.perf_counter() - saved > self.config.checkpoint_seconds
            if done or due or request.asked:
                self.folder.checkpoints.save(state)
                saved = time.perf_counter()
            if request.asked and not done:
                raise StoppedError(state.step, request.asked)
            if done:
                break
            begin = time.perf_counter()

    def _workers(self) -> Workers:
        return Workers(
            kind=self.config.workers,
            count=self.config.readers or None,
            pin=self.engine.device.type == "cuda",
        )

    def _batches(self) -> Generator[Batch]:
        """What is left of each phase."""
        for phase in self.phases:
            start = max(self.state.step, phase.start)
            if start < phase.stop:
                yield from self.loader.batches(start, phase.stop, phase.size)

    def _step(self, batch: Batch) -> StepResult:
        state, config = self.state, self.config
        factor = learning_rate_factor(config.schedule, state.step, self.steps)
        set_learning_rate(state.optimizers, factor)
        torch.manual_seed(_stream(config.seed, state.step, _DROPOUT))
        draw = np.random.default_rng((config.seed, state.step, _MIXING))
        state.model.train()
        task = self.objective.prepare(batch.to(self.engine.device), draw)
        try:
            loss, measures = accumulate(
                state.model, self.objective, task, self.engine, self.micro_batch
            )
            norm = check_and_clip(state.model, config.optimizer.clip)
        except NonFiniteError as error:
            raise NonFiniteError(
                f"step {state.step}: {error}: the weights have not moved; begin a new run with a "
                "lower --optimizer.learning_rate, or with --precision float32"
            ) from error
        for optimizer in state.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if state.average is not None:
            state.average.update(state.model, state.step)
        state.step += 1
        return StepResult(loss, measures, norm)

    def _training_line(self, since: list[StepResult], seconds: float) -> dict[str, float]:
        line = self._place()
        line["loss"] = float(np.mean([result.loss for result in since]))
        for name in since[0].measures:
            line[name] = float(np.mean([result.measures[name] for result in since]))
        line["gradient_norm"] = float(np.mean([result.gradient_norm for result in since]))
        factor = learning_rate_factor(self.config.schedule, self.state.step - 1, self.steps)
        line["learning_rate"] = self.config.optimizer.learning_rate * factor
        line["images_per_second"] = len(since) * self.config.batch_size / seconds
        return line

    def _place(self) -> dict[str, float]:
        seen = self.state.step * self.config.batch_size
        return {
            "step": self.state.step,
            "epoch": seen / self.images,
            "images": seen,
            "flops": self.spent.flops(self.state.step),
            "device_hours": self.spent.device_hours(self.state.seconds),
        }

    def _validate(self) -> None:
        part = self.dataset.parts.get("validation")
        if part is None:
            return
        loader = EvaluationLoader(
            part,
            self.config.preprocessing,
            batch_size=_VALIDATION_BATCH,
            faults=Faults(len(part.labels), self.config.bad_limit),
            workers=self._workers(),
        )
        answers = infer(self.state.result, loader, self.engine)
        measures = measure(answers.logits, answers.labels)
        self.log.write(self._place() | {f"validation_{n}": v for n, v in measures.items()})
        self._keep_if_best()

    def _keep_if_best(self) -> None:
        """Write weights that no validation has surpassed, and the state that goes with them."""
        if self.config.keeps_best and self.standing.step == self.state.step:
            self.folder.best.save(self.state.result.state_dict(), self.state.step)
            self.folder.checkpoints.save(self.state)
            self.folder.best.keep_only(self.state.step)

    def _exhausted(self) -> bool:
        """Whether validation has not improved for as long as the run is patient."""
        return 0 < self.config.patience <= self.standing.since


def _stream(seed: int, step: int, purpose: int) -> int:
    """A 64-bit seed for torch, a function of its arguments."""
    return int(np.random.SeedSequence((seed, step, purpose)).generate_state(1, np.uint64)[0])
