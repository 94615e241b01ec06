"""Trials shared among processes: each takes the next one that no other has."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from multiprocessing import get_context
from pathlib import Path

from vitreous.errors import UserError
from vitreous.experiments.cache import TrialCache, in_order
from vitreous.experiments.experiment import Experiment, ScaleName, Setting
from vitreous.experiments.results import Outcome
from vitreous.experiments.trial import Trial
from vitreous.parallel.parent import end_with_parent

# A small model's products are too small for two threads; beyond this, memory would run short.
_MOST_JOBS = 8
_LOOK_AGAIN = 0.5  # seconds


def usual_jobs(experiment: Experiment, setting: Setting) -> int:
    """Trials at once: one a core where they are small models on a CPU, else one."""
    import torch

    if experiment.timed or setting.weights or torch.cuda.is_available():
        return 1
    return min(torch.get_num_threads(), _MOST_JOBS)


def run_shared(
    trials: Sequence[Trial],
    cache: TrialCache,
    begun: Callable[[Trial], AbstractContextManager[object]],
    finished: Callable[[Trial, Outcome], None],
) -> None:
    """See to it that all trials are finished, whoever runs them.

    Any number of processes may call it with the same trials and cache: none runs what another is
    running, and what a killed one has left is taken up.

    Args:
        trials: Those that others need before them.
        cache: Of finished trials.
        begun: Gives the context that one of ours is run in.
        finished: Called with each, run here or elsewhere.

    Raises:
        StoppedError: It was asked to stop.
    """
    waiting = list(trials)
    while waiting:
        for trial in waiting:
            if (outcome := _advance(trial, cache, begun)) is not None:
                waiting.remove(trial)
                finished(trial, outcome)
                break
        else:
            time.sleep(_LOOK_AGAIN)


def _advance(
    trial: Trial, cache: TrialCache, begun: Callable[[Trial], AbstractContextManager[object]]
) -> Outcome | None:
    """The outcome, made now where it is this process's turn to make it."""
    if (outcome := cache.read(trial)) is not None:
        return outcome
    if any(cache.read(needed) is None for needed in trial.needs):
        return None
    with cache.claimed(trial) as ours:
        if not ours:
            return None
        if (outcome := cache.read(trial)) is not None:  # finished between the look and the claim
            return outcome
        with begun(trial):
            return cache.run(trial)


@contextmanager
def helpers(
    count: int, experiment: Experiment, setting: Setting, cache: TrialCache
) -> Iterator[None]:
    """Other processes that run trials of the same plan meanwhile, each on its share of the cores.

    They say nothing: whatever stops one of them, this process meets too when it takes up what was
    left. They stop, and save, when the block is left.
    """
    if not count:
        yield
        return
    import torch

    before = torch.get_num_threads()
    threads = max(before // (count + 1), 1)
    torch.set_num_threads(threads)
    context = get_context("spawn")  # a fork would copy locks that PyTorch's threads hold
    asked = (experiment.name, setting.scale, setting.seeds, setting.data.folder, setting.weights)
    processes = [
        context.Process(target=_help, args=(*asked, cache.folder, threads)) for _ in range(count)
    ]
    try:
        for process in processes:
            process.start()
        yield
    finally:
        for process in processes:
            if process.pid is not None:
                process.terminate()
                process.join()
        torch.set_num_threads(before)


def _help(
    name: str,
    scale: ScaleName,
    seeds: int,
    data: Path,
    weights: Path | None,
    cache: Path,
    threads: int,
) -> None:
    import torch

    from vitreous.experiments.catalogue import find_experiment
    from vitreous.experiments.collection import Collection
    from vitreous.train.stop import StoppedError

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # between trials there is nothing to save
    end_with_parent()
    torch.set_num_threads(threads)
    setting = Setting(scale=scale, seeds=seeds, data=Collection(data), weights=weights)
    with suppress(StoppedError, UserError, KeyboardInterrupt):
        trials = list(in_order(find_experiment(name).trials(setting)))
        run_shared(trials, TrialCache(cache), lambda _: nullcontext(), lambda *_: None)
