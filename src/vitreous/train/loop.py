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
from vitreous.data.sample import Dataset, Part
from vitreous.data.workers import Workers
from vitreous.errors import UserError
from vitreous.evaluate.held_out import measure_part
from vitreous.evaluate.validation import validate, validation_batch
from vitreous.objective.contract import Objective, Task
from vitreous.parallel.collect import (
    ToldElsewhereError,
    first_says,
    rank,
    whole,
    world_size,
)
from vitreous.parallel.device import Engine
from vitreous.parallel.environment import ranks
from vitreous.train.best import Standing, standing
from vitreous.train.config import TrainConfig
from vitreous.train.diagnosis import first_nonfinite
from vitreous.train.few_shot import measure_few_shot
from vitreous.train.measure import Journal
from vitreous.train.optimizer import build_optimizers, set_learning_rate
from vitreous.train.placement import Placement
from vitreous.train.run_folder import RunFolder
from vitreous.train.running_statistics import RunningStatistics
from vitreous.train.schedule import learning_rate_factor, phases
from vitreous.train.spent import Spent
from vitreous.train.state import TrainingState
from vitreous.train.step import NonFiniteError, StepResult, Sums, accumulate, move
from vitreous.train.stop import StoppedError, StopRequest, agree
from vitreous.train.tracker import Tracker, open_tracker

# Streams of randomness of a step, beside the samples' own.
_DROPOUT, _MIXING = 1, 2


class Loop:
    """A prepared run, step by step.

    Everything random in a step is a function of (seed, step), and the order of the images of
    (seed, position), so a run goes on from `state` as if it had never stopped, on any number of
    ranks. Each rank trains on its stretch of every batch; only dropout and stochastic depth, drawn
    for each rank by itself, differ with their number.
    """

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        placement: Placement,
        objective: Objective,
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
        self.trained, self.objective = placement.trained, objective
        optimizers = build_optimizers(placement.model, config.optimizer, engine.precision)
        self.state = TrainingState(placement.model, optimizers, placement.average)
        self.running = RunningStatistics(placement.model)
        self.checkpoints = folder.checkpoints
        self.checkpoints.keep = config.checkpoint_keep
        self.checkpoints.every = config.checkpoint_every
        self.phases = phases(config.schedule, config.model.image_size, self.steps)
        self.spent = Spent(
            config.model,
            self.phases,
            config.batch_size,
            world_size(),
            config.tuning,
            config.parallel,
        )
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
            rank=rank(),
            world_size=world_size(),
        )
        self.log_every = config.log_every or max(self.steps // 200, 1)
        every = config.validate_every * self.images / config.batch_size
        self.validate_every = max(round(every or self.steps / 20), 1)

    def journal(self) -> Journal:
        """The run's log, continued at the state's step."""
        self.log = Journal(
            None if rank() else self.folder.metrics,
            step=self.state.step,
            steps=self.steps,
            tensorboard=self.folder.path / "tensorboard",
            console=self.console,
            tracker=self._tracker(),
        )
        return self.log

    def _tracker(self) -> Tracker | None:
        """The first rank tells the service."""
        logger = "none" if rank() else self.config.logger
        return open_tracker(logger, self.folder.path, self.config.to_dict())

    @property
    def standing(self) -> Standing:
        """How the validations have gone so far."""
        return standing(self.log.history)

    def fit(self, request: StopRequest) -> None:
        """All steps that are left; the state is saved by the clock, at a stop and at the end.

        Raises:
            StoppedError: A rank was asked to stop; all have agreed on the step, and it is saved.
        """
        try:
            with telling_of_readers(self.loader.workers):
                self._fit(request)
        finally:
            self.checkpoints.finish()

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
        logged, waited, since = state.seconds, 0.0, list[StepResult]()
        begin = time.perf_counter()
        for batch in self._batches():
            waited += time.perf_counter() - begin
            if (result := self._step(batch)) is not None:
                since.append(result)
            state.seconds += time.perf_counter() - begin  # the wait for data included
            self.log.advance(state.step)
            done = state.step == self.steps
            if since and (done or state.step % self.log_every == 0):
                self.log.write(self._training_line(since, state.seconds - logged, waited))
                logged, waited, since = state.seconds, 0.0, []
            if done or state.step % self.validate_every == 0:
                self._validate()
                done = done or self._exhausted()
            due = time.perf_counter() - saved > self.config.checkpoint_seconds
            asked, due, failed = agree(request.asked, due, self.checkpoints.failed)
            if failed:
                self.checkpoints.finish()
                raise ToldElsewhereError("another rank could not write a state")
            every = self.checkpoints.every
            if done or asked or due or (every and state.step % every == 0):
                self.log.sync()
                self.checkpoints.start(state)
                saved = time.perf_counter()
            if done or asked:
                self.checkpoints.finish()
            if asked and not done:
                raise StoppedError(state.step, asked)
            if done:
                break
            begin = time.perf_counter()

    def _workers(self) -> Workers:
        return Workers(
            kind=self.config.workers,
            count=self.config.readers or None,
            local_size=ranks().local_size,
            pin=self.engine.device.type == "cuda",
        )

    def _batches(self) -> Generator[Batch]:
        """What is left of each phase."""
        for phase in self.phases:
            start = max(self.state.step, phase.start)
            if start < phase.stop:
                yield from self.loader.batches(start, phase.stop, phase.size)

    def _step(self, batch: Batch) -> StepResult | None:
        """One batch; None where it had to be skipped."""
        state, config = self.state, self.config
        factor = learning_rate_factor(config.schedule, state.step, self.steps)
        set_learning_rate(state.optimizers, factor * state.backoff.factor)
        draw = np.random.default_rng((config.seed, state.step, _MIXING))
        if not state.model.training:
            state.model.train()
        task = self.objective.prepare(batch.to(self.engine.device), draw)
        self.running.keep()
        try:
            sums = self._accumulate(task)
            result = move(state.model, state.optimizers, sums, config.optimizer.clip)
        except NonFiniteError as error:
            what = self._name_layer(error, task)
            self.running.put_back()
            self._skip(what)
            return None
        self.running.agree()
        if state.average is not None:
            state.average.update(state.model, state.step)
        state.step += 1
        state.backoff.went_well()
        return result

    def _accumulate(self, task: Task) -> Sums:
        """Gradients of a batch, in smaller pieces where the GPU's memory turns out too small."""
        while True:
            self._seed_dropout()
            try:
                return accumulate(self.trained, self.objective, task, self.engine, self.micro_batch)
            except torch.OutOfMemoryError as error:
                tried = min(self.micro_batch, len(task.images))
                if tried == 1:
                    raise UserError(
                        "not even one image fits into the GPU's memory: take a smaller model or "
                        "image size, or --parallel.activation_checkpointing 1"
                    ) from error
                self.micro_batch = -(-tried // 2)
                if world_size() > 1:  # the others wait in the middle of the backward pass
                    raise UserError(
                        f"rank {rank()}: {tried} images at once do not fit into the GPU's memory: "
                        f"--resume with --micro_batch {self.micro_batch}"
                    ) from error
            self.state.model.zero_grad()
            self.running.put_back()
            torch.cuda.empty_cache()
            self.console.print(
                f"step {self.state.step}: {tried} images at once do not fit into the GPU's memory: "
                f"going on with pieces of {self.micro_batch}, the largest that fits so far",
                highlight=False,
                soft_wrap=True,
            )

    def _seed_dropout(self) -> None:
        torch.manual_seed(_stream(self.config.seed, self.state.step, _DROPOUT, rank()))

    def _name_layer(self, error: NonFiniteError, task: Task) -> str:
        """What went wrong, with the first layer whose output shows it."""
        self._seed_dropout()
        layer = first_nonfinite(
            self.state.model, self.objective, task, self.engine, self.micro_batch
        )
        return f"{error}, and {layer}" if layer else str(error)

    def _skip(self, what: str) -> None:
        """Leave a batch out and go on with half the rate, where that is wanted.

        Raises:
            NonFiniteError: It is not, or it has not helped ten times in a row.
        """
        state = self.state
        state.model.zero_grad()
        if self.config.optimizer.on_nonfinite == "stop":
            raise NonFiniteError(
                f"step {state.step}: {what}: the weights have not moved; begin a new run with a "
                "lower --optimizer.learning_rate, with --precision float32, or with "
                "--optimizer.on_nonfinite skip"
            )
        if state.backoff.exhausted:
            raise NonFiniteError(
                f"step {state.step}: {what}: {state.backoff.row} batches in a row were skipped "
                "already; begin a new run with a lower --optimizer.learning_rate"
            )
        state.backoff.skip()
        self.console.print(
            f"step {state.step} skipped: {what}; the learning rate is at "
            f"{state.backoff.factor:g} of the plan's",
            highlight=False,
            soft_wrap=True,
        )
        state.step += 1

    def _training_line(
        self, since: list[StepResult], seconds: float, waited: float
    ) -> dict[str, float]:
        line = self._place()
        line["loss"] = float(np.mean([result.loss for result in since]))
        for name in since[0].measures:
            line[name] = float(np.mean([result.measures[name] for result in since]))
        line["gradient_norm"] = float(np.mean([result.gradient_norm for result in since]))
        factor = learning_rate_factor(self.config.schedule, self.state.step - 1, self.steps)
        factor *= self.state.backoff.factor
        line["learning_rate"] = self.config.optimizer.learning_rate * factor
        line["images_per_second"] = len(since) * self.config.batch_size / seconds
        line["data_wait"] = waited / seconds
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
        loader = self._evaluation(part)
        if self.config.objective.supervised:
            try:
                measures = validate(self.state.result, loader, self.engine)
            except ArithmeticError as error:
                raise NonFiniteError(
                    f"step {self.state.step}: on validation images {error}; begin a new run with a "
                    "lower --optimizer.learning_rate"
                ) from error
        else:
            measures = measure_part(self.state.result, self.objective, loader, self.engine)
        line = self._place() | {f"validation_{n}": v for n, v in measures.items()}
        if self.config.few_shot:
            line |= measure_few_shot(
                self.state.result, self.dataset, self.config.few_shot, self._evaluation, self.engine
            )
        self.log.write(line)
        self._keep_if_best()

    def _evaluation(self, part: Part) -> EvaluationLoader:
        return EvaluationLoader(
            part,
            self.config.preprocessing,
            batch_size=validation_batch(self.engine.device, self.config.preprocessing.size),
            faults=Faults(len(part.labels), self.config.bad_limit),
            workers=self._workers(),
            rank=rank(),
            world_size=world_size(),
        )

    def _keep_if_best(self) -> None:
        """Write weights that no validation has surpassed, and the state that goes with them."""
        if not self.config.keeps_best:
            return
        if not first_says(self.standing.step == self.state.step):
            return
        tensors = {name: whole(t) for name, t in self.state.result.state_dict().items()}
        if rank() == 0:
            self.folder.best.save(tensors, self.state.step)
        self.log.sync()
        self.checkpoints.save(self.state)
        if rank() == 0:
            self.folder.best.keep_only(self.state.step)

    def _exhausted(self) -> bool:
        """Whether validation has not improved for as long as the run is patient."""
        patience = self.config.patience
        return patience > 0 and first_says(patience <= self.standing.since)


def _stream(*numbers: int) -> int:
    """A 64-bit seed for torch, a function of its arguments; zeros at their end change nothing."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
