"""Weights & Biases and MLflow, where they are installed and asked for."""

import json
import uuid
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from vitreous.durable import write_text
from vitreous.errors import UserError


class Tracker(Protocol):
    """A service that keeps the logs of many runs."""

    def write(self, line: Mapping[str, float]) -> None:
        """Send one line of measures; `step` among them."""

    def close(self, *, failed: bool) -> None:
        """The run has ended, well or not."""


def open_tracker(name: str, folder: Path, config: Mapping[str, Any]) -> Tracker | None:
    """The service that a config names; a resumed run goes on with the record it began.

    Args:
        name: `none`, `wandb` or `mlflow`.
        folder: The run's; gives the record its name, and remembers which it is.
        config: Plain values, sent along.

    Raises:
        UserError: It is not installed.
    """
    if name == "none":
        return None
    return _WeightsAndBiases(folder, config) if name == "wandb" else _MLflow(folder, config)


def check_tracker(name: str) -> None:
    """Refuse a service before anything is written.

    Raises:
        UserError: It is not installed.
    """
    if name != "none":
        _imported(name)


class _WeightsAndBiases:
    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        wandb = _imported("wandb")
        identifier = _remembered(folder, "wandb") or uuid.uuid4().hex[:12]
        self._run = wandb.init(
            project="vitreous",
            name=folder.name,
            id=identifier,
            resume="allow",
            dir=str(folder),
            config=dict(config),
        )
        _remember(folder, "wandb", identifier)

    def write(self, line: Mapping[str, float]) -> None:
        self._run.log(dict(line), step=int(line["step"]))

    def close(self, *, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


class _MLflow:
    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self._mlflow = _imported("mlflow")
        identifier = _remembered(folder, "mlflow")
        run = self._mlflow.start_run(run_id=identifier, run_name=folder.name)
        if identifier is None:
            _remember(folder, "mlflow", run.info.run_id)
            self._mlflow.log_params(dict(_flat(config)))

    def write(self, line: Mapping[str, float]) -> None:
        self._mlflow.log_metrics(dict(line), step=int(line["step"]))

    def close(self, *, failed: bool) -> None:
        self._mlflow.end_run(status="FAILED" if failed else "FINISHED")


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise UserError(
            f"logger {name} is not installed: pip install {name}, or leave --logger out"
        ) from error


def _remembered(folder: Path, service: str) -> str | None:
    path = folder / "tracker.json"
    if not path.is_file():
        return None
    record: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return record.get(service)


def _remember(folder: Path, service: str, identifier: str) -> None:
    write_text(folder / "tracker.json", json.dumps({service: identifier}) + "\n")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
