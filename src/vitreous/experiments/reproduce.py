"""From an experiment to its table, its figure and its verdict."""

import json
import os
import platform
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitreous import __version__
from vitreous.durable import write_durably, write_text
from vitreous.errors import UserError
from vitreous.experiments.cache import TrialCache, in_order
from vitreous.experiments.experiment import Experiment, Setting
from vitreous.experiments.finding import Finding, overall
from vitreous.experiments.results import Outcome, Results
from vitreous.experiments.sharing import helpers, run_shared
from vitreous.experiments.trial import Trial

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Reproduction:
    """An experiment that was run.

    Attributes:
        experiment: Which.
        setting: At which scale, and on what.
        results: Its cells.
        findings: What they say.
        trials: How many, those that others were made from included.
        seconds: Of all trials, whenever they were run.
        flops: Of all trials.
        files: Written, by kind.
    """

    experiment: Experiment
    setting: Setting
    results: Results
    findings: Sequence[Finding]
    trials: int
    seconds: float
    flops: float
    files: dict[str, Path]

    @cached_property
    def twins(self) -> dict[str, str]:
        """The published row beside which each measured checkpoint stands in the grid."""
        if self.experiment.grid is None:
            return {}
        from vitreous.experiments.twin import twins

        return twins(self.experiment.published, self.results)

    @cached_property
    def costs(self) -> dict[str, dict[str, Any]]:
        """The training cost of each checkpoint in the grid whose run tells it."""
        if self.experiment.grid is None or self.setting.weights is None:
            return {}
        from vitreous.experiments.checkpoints import checkpoints
        from vitreous.experiments.pretraining_cost import spent_on

        spent = {row: spent_on(path) for row, path in checkpoints(self.setting.weights).items()}
        return {row: cost.to_dict() for row, cost in spent.items() if cost is not None}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        experiment = self.experiment
        rows = []
        for place in {**dict.fromkeys(experiment.published), **self.results.cells}:
            entry: dict[str, Any] = {"row": place[0], "column": place[1]}
            if place in experiment.published:
                entry["published"] = experiment.published[place]
            if place in self.results:
                cell = self.results[place]
                entry |= asdict(cell) | {"mean": cell.mean, "spread": cell.spread}
                entry["facts"] = [
                    {name: fact for name, fact in facts.items() if name not in experiment.drawn}
                    for facts in cell.facts
                ]
            rows.append(entry)
        return {
            "name": experiment.name,
            "title": experiment.title,
            "source": experiment.source,
            "published_as": experiment.published_as,
            "scale": self.setting.scale,
            "measured_as": experiment.scale(self.setting.scale).what,
            # Those that were run: what is drawn once has one, however many were asked for.
            "seeds": max((len(cell.values) for cell in self.results.cells.values()), default=0),
            "verdict": overall(self.findings),
            "findings": [asdict(finding) for finding in self.findings],
            "rows": rows,
            **self._grid_dict(),
            "trials": self.trials,
            "seconds": self.seconds,
            "flops": self.flops,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": _machine(),
            "version": __version__,
        }

    def _grid_dict(self) -> dict[str, Any]:
        grid = self.experiment.grid
        if grid is None:
            return {}
        return {"published_table": grid.entries(), "twins": self.twins, "costs": self.costs}


def published_dict(experiment: Experiment) -> dict[str, Any]:
    """The published table of an experiment that has a grid, for JSON."""
    assert experiment.grid is not None
    return {
        "name": experiment.name,
        "title": experiment.title,
        "source": experiment.source,
        "published_as": experiment.published_as,
        "published_table": experiment.grid.entries(),
        "notes": list(experiment.grid.notes),
    }


def reproduce(
    experiment: Experiment,
    setting: Setting,
    out: Path,
    cache: TrialCache,
    console: "Console",
    jobs: int = 1,
) -> Reproduction:
    """Run what is not in the cache yet, judge, and write `NAME.json` and the figure.

    Args:
        experiment: Which.
        setting: Scale, seeds and data.
        out: Folder of the results.
        cache: Of finished trials.
        console: One line a trial.
        jobs: Trials at once, each in a process with its share of the cores; more than one for
            experiments of the catalogue only.

    Raises:
        UserError: The machine or the data cannot do it; nothing was run.
        StoppedError: It was asked to stop; the same call goes on.
    """
    scale = experiment.scale(setting.scale)
    experiment.refuse(setting)
    if scale.gpu:
        _require_gpu(experiment, setting.scale, scale.minutes)
    if scale.seeds > 1 and setting.seeds == 1:
        console.print(
            f"{experiment.name} is judged by the spread over seeds, and one seed has none: nothing "
            "will be shown of it; give --seeds 2 or more",
            highlight=False,
            soft_wrap=True,
        )
    planned = experiment.trials(setting)
    trials = list(in_order(planned))
    waiting = [trial for trial in trials if cache.read(trial) is None]
    for trial in waiting:
        trial.check()
    with helpers(min(jobs, len(waiting)) - 1 if waiting else 0, experiment, setting, cache):
        _run_all(trials, waiting, cache, console)
    results = Results((trial.row, cache.whole(trial)) for trial in planned if trial.row)
    outcomes = [cache.read(trial) for trial in trials]
    done = Reproduction(
        experiment,
        setting,
        results,
        tuple(experiment.findings(results)),
        len(trials),
        sum(outcome.seconds for outcome in outcomes if outcome),
        sum(outcome.flops for outcome in outcomes if outcome),
        {},
    )
    _write(done, out)
    return done


def _run_all(
    trials: Sequence[Trial], waiting: Sequence[Trial], cache: TrialCache, console: "Console"
) -> None:
    """A line for each; the time that is left is told by the operations done so far."""
    left = sum(trial.flops for trial in waiting)
    done = 0.0
    place = len(trials) - len(waiting)
    if place:
        console.print(f"{place} of {len(trials)} trials are in {cache.folder} already")
    begin = time.perf_counter()

    def begun(trial: Trial) -> AbstractContextManager[object]:
        return console.status(f"{place + 1}/{len(trials)}  {_named(trial)}")

    def finished(trial: Trial, outcome: Outcome) -> None:
        nonlocal left, done, place
        left, done, place = left - trial.flops, done + trial.flops, place + 1
        values = ", ".join(f"{column} {value:.4g}" for column, value in outcome.values.items())
        rest = ""
        if done and left > 0:
            rest = f"; about {_words((time.perf_counter() - begin) * left / done)} left"
        took = _words(outcome.seconds)
        console.print(
            f"{place}/{len(trials)}  {_named(trial)}: {values or 'done'} in {took}{rest}",
            highlight=False,
            soft_wrap=True,
        )

    run_shared(waiting, cache, begun, finished)


def _named(trial: Trial) -> str:
    return f"{trial.row or 'pretraining'}, seed {trial.seed}"


def _write(done: Reproduction, out: Path) -> None:
    name = done.experiment.name
    text = json.dumps(done.to_dict(), indent=1, ensure_ascii=False) + "\n"
    done.files["results"] = out / f"{name}.json"
    write_text(done.files["results"], text)
    if done.experiment.draw is not None:
        figure = done.experiment.draw(done.results)
        done.files["figure"] = out / f"{name}.svg"
        write_durably(
            done.files["figure"],
            lambda aside: figure.savefig(aside, format="svg", metadata={"Date": None}),
        )


def _require_gpu(experiment: Experiment, scale: str, minutes: float) -> None:
    import torch

    if not torch.cuda.is_available():
        smaller = " or choose --scale pocket" if "pocket" in experiment.scales else ""
        raise UserError(
            f"{experiment.name} --scale {scale} takes about {_words(60 * minutes)} on one GPU and "
            f"there is none here: run it where there is one,{smaller}".rstrip(",")
        )


def _machine() -> str:
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}"
    return f"{os.cpu_count()} cores, {platform.machine()}, PyTorch {torch.__version__}"


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
