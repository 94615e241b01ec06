"""A bar for what takes more than a few seconds, on stderr, where a person watches."""

from collections.abc import Callable
from types import TracebackType
from typing import Any


class Stages:
    """Work in stages, a bar each: `stage(words)` gives what is told the share that is done."""

    def __enter__(self) -> Callable[[str], Callable[[float], None]]:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        from vitreous.cli.terminal import console_on_stderr

        console = console_on_stderr()
        self._bars: Any = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bars.start()
        return self._begin

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def _begin(self, words: str) -> Callable[[float], None]:
        task = self._bars.add_task(words, total=1.0)
        return lambda share: self._bars.update(task, completed=share)
