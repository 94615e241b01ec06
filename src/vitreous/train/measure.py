"""What a run says while it goes: metrics.jsonl, TensorBoard, and one line in the terminal."""

import errno
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from vitreous.durable import write_text
from vitreous.errors import UserError
from vitreous.train.tracker import Tracker

# The share of the time that steps may wait for images before the bar tells of it.
_WORTH_SAYING = 0.05

_SCORES = (
    ("accuracy", "accuracy"),
    ("map", "mean average precision"),
    ("colour_accuracy", "accuracy of patch colours"),
)


class Journal:
    """Writes each line of measures wherever people look.

    Args:
        path: metrics.jsonl; lines after `step` are dropped, so that a resumed run's file reads
            like an uninterrupted one's. Nothing is written where None.
        step: Steps already done.
        steps: Of the whole run.
        tensorboard: Folder for TensorBoard's files; needs the `tensorboard` extra.
        console: Where the bar and the lines go.
        tracker: A service that gets each line too.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        step: int,
        steps: int,
        tensorboard: Path,
        console: Console,
        tracker: Tracker | None = None,
    ) -> None:
        lines = [] if path is None else read_history(path)
        self.history = [line for line in lines if line["step"] <= step]
        self._path = path
        self._steps, self._start = steps, step
        self._tensorboard = tensorboard
        self._console = console
        self._tracker = tracker
        self._file: IO[str] | None = None
        self._writer: Any = None

    def __enter__(self) -> "Journal":
        if self._path is not None:
            self._open(self._path)
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]:.1f}"),
            BarColumn(),
            TextColumn("{task.fields[words]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(
            "", total=self._steps, completed=self._start, words="", epoch=0.0
        )
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        with suppress(OSError):  # a full disk has been told of, or costs the last curve's end
            if self._writer is not None:
                self._writer.close()
            if self._file is not None:
                self._file.close()
        if self._tracker is not None:
            self._tracker.close(failed=kind is not None)

    def _open(self, path: Path) -> None:
        # In one step: what the state's step does not reach goes, and no kill takes the rest.
        write_text(path, "".join(json.dumps(line) + "\n" for line in self.history))
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write {path}: {_full(error)}") from error
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._tensorboard), purge_step=self._start + 1)

    def sync(self) -> None:
        """Wait until all lines are on the disk, before a state that builds on them.

        Raises:
            UserError: The disk is full.
        """
        if self._file is None:
            return
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise UserError(f"cannot write {self._path}: {_full(error)}") from error

    def advance(self, step: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=step)

    def write(self, line: Mapping[str, float]) -> None:
        """Log one line of measures: `step`, `epoch` and named numbers.

        Raises:
            UserError: The disk is full.
        """
        self.history.append(dict(line))
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            if self._writer is not None:  # its thread's faults come out here
                for name, value in line.items():
                    if name not in ("step", "epoch"):
                        self._writer.add_scalar(name, value, int(line["step"]))
        except OSError as error:
            raise UserError(f"cannot write {self._path}: {_full(error)}") from error
        if self._tracker is not None:
            self._tracker.write(line)
        if "loss" in line:
            words = f"loss {line['loss']:.3f}  {_measure(line)}"
            words += f"{line['images_per_second']:.0f} images/s"
            if (waited := line.get("data_wait", 0)) > _WORTH_SAYING:
                words += f", {waited:.0%} of the time waiting for them"
            self._bar.update(self._task, words=words, epoch=line["epoch"])
        if "validation_loss" in line:
            self._console.print(
                f"epoch {line['epoch']:6.1f}   validation "
                f"{_measure(line, 'validation_')}loss {line['validation_loss']:.3f}"
                f"{_few_shot(line)}",
                highlight=False,
                soft_wrap=True,
            )


def _full(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "no space left on the disk: free some, then go on with --resume"
    return error.strerror or str(error)


def _measure(line: Mapping[str, float], part: str = "") -> str:
    """The score of a part in words, where the objective has one."""
    for name, words in _SCORES:
        if part + name in line:
            return f"{words} {line[part + name]:.1%}   "
    return ""


def _few_shot(line: Mapping[str, float]) -> str:
    if "few_shot_accuracy" not in line:
        return ""
    return f"   few-shot {line['few_shot_accuracy']:.1%} ± {line['few_shot_spread']:.1%}"


def read_history(path: Path) -> list[dict[str, float]]:
    """Lines of a metrics.jsonl; a line that was cut short by a stop is left out."""
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines
