"""The same run with several values of a field, and the one that validation likes best."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console

from vitreous.data.sample import Dataset
from vitreous.data.split import with_validation
from vitreous.durable import write_text
from vitreous.errors import UserError
from vitreous.train.best import name_score, read_score
from vitreous.train.config import TrainConfig
from vitreous.train.overrides import field_types, override
from vitreous.train.run import train
from vitreous.train.run_folder import RunFolder
from vitreous.train.step import NonFiniteError

_HOW = (
    "each run saw training images only; they were compared on the validation images, and never on "
    "the test images; the result is the best run as it is, trained without the validation images "
    "(the paper trains once more on all: train again with the best value and "
    "--validation_fraction 0)"
)


def read_axes(texts: Iterable[str]) -> dict[str, list[str]]:
    """Fields and their values, as they were typed.

    Args:
        texts: Each FIELD=VALUE,VALUE,...; the last part of a field's dotted name is enough where
            no other field has it.

    Raises:
        UserError: No such field, several, or no two different values.
    """
    axes: dict[str, list[str]] = {}
    for text in texts:
        name, found, values = text.partition("=")
        listed = [value for value in values.split(",") if value]
        if not found or len(listed) < 2 or len(set(map(_number, listed))) < len(listed):
            raise UserError(
                f"--sweep {text}: give FIELD=VALUE,VALUE with two or more different values, such "
                "as learning_rate=0.003,0.01"
            )
        axes[_field(name)] = listed
    return axes


def _number(text: str) -> float | str:
    """What a value is, so that 0.01 and 0.010 are the same."""
    try:
        return float(text)
    except ValueError:
        return text


def _field(name: str) -> str:
    known = field_types()
    if name in known:
        return name
    named = [field for field in known if field.rpartition(".")[2] == name]
    if len(named) == 1:
        return named[0]
    if named:
        raise UserError(f"--sweep {name} may be {' or '.join(named)}: give the whole name")
    raise UserError(f"--sweep {name}: no such field; vitreous train --help lists them")


def sweep(
    config: TrainConfig,
    dataset: Dataset,
    out: Path,
    console: Console,
    axes: Mapping[str, Sequence[str]],
    *,
    resume: bool = False,
) -> dict[str, Any] | None:
    """Run every combination of values, one after the other, and make the best one the result.

    OUT/sweep/NAME=VALUE holds a whole run each; OUT becomes a copy of the best one, measured on the
    test images where there are any, with OUT/sweep.json beside it. Stopped, it goes on with the run
    that it was at.

    Args:
        config: What all runs share.
        dataset: Opened from `config.data`.
        out: The run folder to make.
        console: For bars and lines.
        axes: Values by dotted field, as they would be typed.
        resume: Go on with the sweep that `out` holds.

    Returns:
        The report of the best run, as `train` gives it.

    Raises:
        UserError: As `train`; there is nothing to validate on, or another sweep is in `out`.
        NonFiniteError: No run's numbers stayed finite.
        StoppedError: The sweep was asked to stop.
    """
    combinations = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    configs = [override(config, values) for values in combinations]  # all are checked before any
    record = _begin(config, out, axes, resume=resume)
    unseen = {name: part for name, part in dataset.parts.items() if name != "test"}
    if not config.validation_fraction and "validation" not in unseen:
        raise UserError("--sweep compares runs by validation: give a --validation_fraction over 0")
    runs: list[dict[str, Any]] = []
    for values, chosen in zip(combinations, configs, strict=True):
        folder = out / "sweep" / _name(values)
        console.rule(_name(values))
        runs.append({"values": values, "folder": str(folder.relative_to(out))})
        runs[-1] |= _run(chosen, replace(dataset, parts=unseen), folder, console)
        write_text(out / "sweep.json", json.dumps(record | {"runs": runs}, indent=1) + "\n")
    finished = [run for run in runs if "score" in run]
    if not finished:
        raise NonFiniteError(f"no run of the sweep ended well: {runs[0]['failed']}")
    best = max(finished, key=lambda run: run["score"])  # the first of equal ones
    record |= {"runs": runs, "best": best, "how": _HOW}
    write_text(out / "sweep.json", json.dumps(record, indent=1) + "\n")
    for run in runs:
        mark = "  best" if run is best else ""
        console.print(
            f"{_name(run['values'])}: {_told(run)}{mark}", highlight=False, soft_wrap=True
        )
    result = _adopt(RunFolder(out / best["folder"]), out, dataset)
    return train(result, dataset, out, console, resume=True)


def _begin(
    config: TrainConfig, out: Path, axes: Mapping[str, Sequence[str]], *, resume: bool
) -> dict[str, Any]:
    """Take the folder, or find the sweep that was begun there."""
    path = out / "sweep.json"
    asked = json.loads(json.dumps({"axes": axes, "config": config.to_dict()}))
    if path.is_file():
        if not resume:
            raise UserError(f"--out {out} holds a sweep: --resume it, or choose another")
        begun = json.loads(path.read_text(encoding="utf-8"))
        for name in asked:
            if begun[name] != asked[name]:
                raise UserError(
                    f"--out {out} holds a sweep that was begun with other {name}: resume with the "
                    "same command, or choose another"
                )
    else:
        RunFolder(out).check_free(resume=False)
        write_text(path, json.dumps(asked, indent=1) + "\n")
    return dict(asked)


def _run(config: TrainConfig, dataset: Dataset, folder: Path, console: Console) -> dict[str, Any]:
    """One run, or the result of one that is finished: its score and time."""
    report = folder / "report.json"
    try:
        if not (report.is_file() and (folder / "model.safetensors").is_file()):
            train(config, dataset, folder, console, resume=True)
    except ArithmeticError as error:
        console.print(str(error), highlight=False, soft_wrap=True)
        return {"failed": str(error)}
    measured = json.loads(report.read_text(encoding="utf-8"))
    name = name_score(measured)
    return {
        "score": read_score(measured, name),
        "measure": f"validation {name}",
        **{name: measured[name] for name in ("loss", "seconds")},
    }


def _told(run: Mapping[str, Any]) -> str:
    """A run's score in words, or why it has none."""
    if "score" not in run:
        return str(run["failed"])
    if run["measure"] == "validation loss":
        return f"loss {run['loss']:.4g}"
    return f"{run['score']:.2%}"


def _adopt(best: RunFolder, out: Path, dataset: Dataset) -> TrainConfig:
    """Put a finished run's state into the sweep's own folder, with the test images in its split."""
    config, own = best.read_config(), RunFolder(out)
    if not own.config.is_file():
        folder = best.checkpoints.folder
        shutil.copytree(folder, own.checkpoints.folder, dirs_exist_ok=True)
        shutil.copyfile(best.metrics, own.metrics)
        split = with_validation(
            dataset,
            config.validation_fraction,
            config.seed,
            stratified=config.objective.supervised,
        )
        own.begin(config, split)
    return config


def _name(values: Mapping[str, str]) -> str:
    """Such as learning_rate=0.01,epochs=5; safe as a folder's name."""
    words = ",".join(f"{name.rpartition('.')[2]}={value}" for name, value in values.items())
    return "".join(letter if letter.isalnum() or letter in "=,.-_+" else "_" for letter in words)
