"""The run folder: what was asked, what was split, and who may write there."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vitreous.data.sample import Dataset
from vitreous.data.split import split_record
from vitreous.durable import exclusive, sweep, write_text
from vitreous.errors import UserError
from vitreous.files import read_json_object
from vitreous.train.best import BestWeights
from vitreous.train.checkpoint import Checkpoints
from vitreous.train.config import TrainConfig


class RunFolder:
    """A run's files, by name.

    Attributes:
        path: The folder.
        config: RUN/config.json: the resolved config.
        split: RUN/split.json: classes, and the images of each part by name.
        metrics: RUN/metrics.jsonl: one line a log step.
        model: RUN/model.safetensors: the result.
        checkpoints: RUN/checkpoints/: resumable states.
        best: RUN/checkpoints/best-*: the weights of the best validation, where they are kept.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.split = self.path / "split.json"
        self.metrics = self.path / "metrics.jsonl"
        self.model = self.path / "model.safetensors"
        self.checkpoints = Checkpoints(self.path / "checkpoints")
        self._lock = self.path / ".lock"
        self.best = BestWeights(self.path / "checkpoints")

    @classmethod
    def of_model(cls, model: str | Path) -> "RunFolder":
        """The run that a model is the result of, typed as RUN or as RUN/model.safetensors.

        Where there is none, the folder is simply no run (see `is_begun`).
        """
        around = cls(Path(model).parent)
        return around if around.model == Path(model) and around.is_begun else cls(model)

    @property
    def is_begun(self) -> bool:
        """Whether a run was begun here; models of other libraries have a config.json too.

        Raises:
            UserError: The config was damaged.
        """
        if not self.config.is_file():
            return False
        # A run that has lost its split is no stranger's model: it must not be measured whole.
        return self.split.is_file() or {"recipe", "data"} <= set(self._read(self.config))

    def check_free(self, *, resume: bool) -> bool:
        """Whether a run begun here can be gone on with; a new one never overwrites anything.

        Returns:
            True where an unfinished run is to be resumed, False where the folder is free.

        Raises:
            UserError: The folder is taken by a run or by anything else.
        """
        if self.config.is_file():
            if resume:
                return True
            state = "a finished" if self.model.is_file() else "an unfinished"
            fix = (
                "choose another --out" if self.model.is_file() else "--resume it, or choose another"
            )
            raise UserError(f"--out {self.path} holds {state} run: {fix}")
        if self.path.is_file() or (
            self.path.is_dir() and any(map(self._foreign, self.path.iterdir()))
        ):
            raise UserError(f"--out {self.path} exists and is no run folder: choose another")
        return False

    def _foreign(self, path: Path) -> bool:
        """Whether it is nothing that a run which was killed at its very beginning leaves."""
        half = path.name.startswith(".") and path.name.endswith(".part")
        return not half and path not in (self._lock, self.split)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the folder; the lock ends with the process, however that ends.

        Where no run was begun meanwhile, the folder is left as it was found.

        Raises:
            UserError: Another run is writing here.
        """
        found = self.path.is_dir()
        with exclusive(self._lock) as holder:
            if holder:
                raise UserError(
                    f"--out {self.path} is being written by {holder}: wait for it, or choose "
                    "another"
                )
            sweep(self.path)
            sweep(self.checkpoints.folder)
            try:
                yield
            finally:
                if not self.config.is_file():
                    self._lock.unlink(missing_ok=True)
                    with suppress(OSError):
                        if not found:
                            self.path.rmdir()

    def begin(self, config: TrainConfig, dataset: Dataset) -> None:
        """Write down which image is in which part, and the resolved config, which comes last."""
        split = {"classes": dataset.class_names, "parts": split_record(dataset)}
        write_text(self.split, json.dumps(split, indent=1, ensure_ascii=False) + "\n")
        write_text(self.config, json.dumps(config.to_dict(), indent=2) + "\n")

    def read_config(self) -> TrainConfig:
        """The config this run began with.

        Raises:
            UserError: The file was damaged, or written by another version with other fields.
        """
        return TrainConfig.from_dict(self._read(self.config))

    def read_split(self) -> tuple[tuple[str, ...], dict[str, list[str]]]:
        """Class names in label order, and the names of each part's images."""
        record = self._read(self.split)
        return tuple(record["classes"]), record["parts"]

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            values = read_json_object(path)
        except (OSError, UserError) as error:
            raise UserError(f"{path} cannot be read ({error}): start a new --out") from error
        return values


# Resolved when a run begins: asked for again as open fields, they stay as they were resolved.
_RESOLVED = ("steps", "epochs", "micro_batch", "device", "precision")
# Where and how the work is done: another machine may go on with a run. `bad_limit` changes no
# weight, and a run that bad images stopped must be able to go on.
_MACHINE = (
    "parallel",
    "workers",
    "readers",
    "micro_batch",
    "checkpoint_seconds",
    "checkpoint_keep",
    "checkpoint_every",
    "log_every",
    "logger",
    "bad_limit",
)


def continued(begun: TrainConfig, asked: TrainConfig) -> TrainConfig:
    """A begun run's config, with what the machine that goes on with it is asked to do.

    Raises:
        UserError: Something else was asked for too; names the first field that differs.
    """
    check_same(asked, begun)
    changed = {name: getattr(asked, name) for name in _MACHINE}
    changed["micro_batch"] = asked.micro_batch or begun.micro_batch
    return dataclasses.replace(begun, **changed)


def check_same(asked: TrainConfig, begun: TrainConfig) -> None:
    """Refuse to go on with a run under another config.

    Raises:
        UserError: Names the first field that differs, and both values.
    """
    now, before = asked.to_dict(), begun.to_dict()
    now["device"] = now["device"].partition(":")[0]  # which of several GPUs changes nothing
    for name in _RESOLVED:
        if now[name] in (None, "auto"):
            now[name] = before[name]
    now["read_as"] = before["read_as"]
    now["reading"] = before["reading"] | asked.reading.to_dict()
    if now["excluded"] != before["excluded"]:
        raise UserError(
            f"the run was begun with {len(before['excluded'])} images excluded and is now asked to "
            f"exclude {len(now['excluded'])}: resume without --exclude, or choose another --out"
        )
    for name in _MACHINE:
        now[name] = before[name]
    for name, value, was in _differences(now, before):
        raise UserError(
            f"the run was begun with {name} {was!r} and is now asked for {value!r}: "
            "resume without that option, or choose another --out"
        )


def _differences(
    a: dict[str, Any], b: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    for name in a:
        if isinstance(a[name], dict):
            yield from _differences(a[name], b[name], f"{prefix}{name}.")
        elif a[name] != b[name]:
            yield prefix + name, a[name], b[name]
