"""Ctrl-C and SIGTERM: finish the step, save, and leave."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from vitreous.parallel.collect import rank, total, world_size


class StoppedError(Exception):
    """The run was asked to stop and has saved its state.

    Attributes:
        step: Steps done and saved.
        signal: What asked.
    """

    def __init__(self, step: int, asked: signal.Signals) -> None:
        super().__init__(f"stopped at step {step}")
        self.step = step
        self.signal = asked


class StopRequest:
    """Notes SIGINT and SIGTERM while a run goes; a second one acts at once.

    Args:
        patient: A second one changes nothing: torchrun hands on what its workers have been sent
            already, and kills after half a minute.
    """

    asked: signal.Signals | None = None

    def __init__(self, *, patient: bool = False) -> None:
        self._patient = patient

    def __enter__(self) -> "StopRequest":
        self._before = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = signal.Signals(number)
        if not self._patient:
            signal.signal(number, self._before[self.asked])


@contextmanager
def leaving_at_once(step: int) -> Iterator[None]:
    """Let SIGTERM end what follows the last step: its state is saved, and the rest is made again.

    Args:
        step: Steps done and saved.

    Raises:
        StoppedError: SIGTERM came.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        raise StoppedError(step, signal.Signals(number))

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def agree(
    asked: signal.Signals | None, due: bool, failed: bool
) -> tuple[signal.Signals | None, bool, bool]:
    """What all ranks do now.

    Whether any was asked to stop, whether a state is due by the first one's clock, and whether any
    could not write the last one.
    """
    if world_size() == 1:
        return asked, due, failed
    wishes = [asked == signal.SIGTERM, asked == signal.SIGINT, due and rank() == 0, failed]
    terminate, interrupt, due_there, failed_there = map(bool, total(wishes))
    agreed = signal.SIGTERM if terminate else signal.SIGINT if interrupt else None
    return agreed, due_there, failed_there
