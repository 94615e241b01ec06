"""Batches made ahead of the model, by threads or by processes that fill shared memory."""

import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import Any, Protocol, cast

import numpy as np
import torch
from jaxtyping import Int64
from torch import multiprocessing
from torch.utils.data import DataLoader, Dataset

from vitreous.data.batch import Batch
from vitreous.data.faults import Faults
from vitreous.data.workers import Kind, Workers
from vitreous.errors import BadImageError, UserError

# Batches under way beside the one that is handed over.
_AHEAD = 3
# Images, and pixels of theirs, that it pays to read at once: what is drawn for them, and done to
# small ones, is done together.
_STRETCH, _PIXELS = 8, 1 << 17


class Reader(Protocol):
    """Makes batches; a copy of it goes to each process."""

    def samples(self, step: int) -> Int64[np.ndarray, "B ..."]:
        """What a batch holds, row by row."""

    def blank(self, *, shared: bool = False, pinned: bool = False) -> Batch:
        """A batch to be filled."""

    def fill(
        self, batch: Batch, first: int, samples: Int64[np.ndarray, "b ..."]
    ) -> list[BadImageError]:
        """Read samples into a stretch of rows; what could not be read is returned."""


def read_ahead(
    reader: Reader, steps: range, workers: Workers, kind: Kind, faults: Faults
) -> Iterator[Batch]:
    """The batches of some steps, in order, with a few under way.

    Raises:
        UserError: Too many images cannot be read, or a reader died or hangs.
    """
    make = _by_processes if kind == "processes" else _by_threads
    made = make(reader, steps, workers)
    try:
        with telling_of_readers(workers):
            for batch, errors in made:
                for error in errors:
                    faults.add(error)
                yield batch
    finally:
        made.close()


@contextmanager
def telling_of_readers(workers: Workers) -> Iterator[None]:
    """Turn what PyTorch raises of a dead or hanging process into one line.

    It raises from a signal, wherever the main program is at that moment: whoever consumes batches
    holds this around the whole loop.
    """
    try:
        yield
    except RuntimeError as error:
        words = str(error)
        if not words.startswith("DataLoader"):
            raise
        if "timed out" in words:
            raise UserError(_late(workers)) from error
        how = "died of a full /dev/shm" if "bus error" in words.lower() else "was killed"
        raise UserError(
            f"a process that reads images {how}: give it more memory, fewer --readers, or "
            "--workers threads"
        ) from error


def _late(workers: Workers) -> str:
    return (
        f"no images came within {workers.timeout:g} seconds: see whether the storage answers, "
        "then go on with --resume"
    )


# Seconds between looks at whether every process is alive.
_LOOK = 2.0

Made = tuple[Batch, list[BadImageError]]
_Errors = Future[list[BadImageError]]


def _by_threads(reader: Reader, steps: range, workers: Workers) -> Generator[Made, None, None]:
    """Stretch by stretch, straight into the batch."""
    waiting: deque[tuple[Batch, list[_Errors]]] = deque()
    pool = _Threads(workers.readers)
    patience = workers.timeout  # for threads that are at work when nothing more is asked of them

    def first() -> Made:
        nonlocal patience
        batch, rows = waiting.popleft()
        try:
            return batch, [error for row in rows for error in row.result(workers.timeout)]
        except TimeoutError as error:
            patience = 0
            raise UserError(_late(workers)) from error

    try:
        for step in steps:
            batch = reader.blank(pinned=workers.pin)
            samples = reader.samples(step)
            few = _stretch(len(samples), workers.readers, batch.images[0, 0].numel())
            rows = [
                pool.submit(partial(reader.fill, batch, at, samples[at : at + few]))
                for at in range(0, len(samples), few)
            ]
            waiting.append((batch, rows))
            if len(waiting) > _AHEAD:
                yield first()
        while waiting:
            yield first()
    finally:
        pool.end(patience)


class _Threads:
    """Threads that read; unlike those of a `ThreadPoolExecutor` they can be left behind.

    One that hangs in storage never returns. Python waits at its end for every thread of a pool, and
    the program would hang with it.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int) -> None:
        self._work: SimpleQueue[tuple[_Errors, Callable[[], list[BadImageError]]] | None]
        self._work = SimpleQueue()
        self._threads = [
            Thread(target=self._run, name=f"vitreous-read_{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, read: Callable[[], list[BadImageError]]) -> "_Errors":
        """Have something read by the next thread that is free."""
        future: _Errors = Future()
        self._work.put((future, read))
        return future

    def end(self, patience: float) -> None:
        """Drop what is not begun, and wait for what is, but for so many seconds at most."""
        with suppress(Empty):
            while True:
                self._work.get_nowait()
        for _ in self._threads:
            self._work.put(None)
        last = monotonic() + patience
        for thread in self._threads:
            thread.join(max(last - monotonic(), 0))

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            future, read = work
            try:
                future.set_result(read())
            except BaseException as error:  # it is raised where the result is asked for
                future.set_exception(error)
            del work, future, read  # the batch is not to be held while waiting for the next


def _stretch(images: int, readers: int, pixels: int) -> int:
    """Images of so many pixels that a thread reads at once.

    Several, and of small images many, but never so many that the batches under way leave another
    thread without work.
    """
    worth = max(_STRETCH, _PIXELS // pixels)
    least = min(worth, images, (1 + _AHEAD) * images // (2 * readers))
    return max(images // (4 * readers), least, 1)


class _Batches(Dataset[Made]):
    """Batches by their step, whole, in shared memory."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __getitem__(self, step: int) -> Made:
        batch = self.reader.blank(shared=True)
        return batch, self.reader.fill(batch, 0, self.reader.samples(step))


def _by_processes(reader: Reader, steps: range, workers: Workers) -> Generator[Made, None, None]:
    """Batch by batch, by PyTorch's own loader: it watches its processes, and they watch it."""
    server = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if server else "spawn")
    if server:
        context.set_forkserver_preload([__name__])  # imports PyTorch once for all processes
    loader = DataLoader(
        _Batches(reader),
        batch_size=None,
        sampler=steps,
        num_workers=max(min(workers.readers, len(steps)), 1),
        multiprocessing_context=context,
        worker_init_fn=_begin,
        pin_memory=workers.pin,
        timeout=min(_LOOK, workers.timeout),
        generator=torch.Generator(),  # the program's own is left alone
    )
    with _main_program_hidden():
        batches = iter(loader)
    try:
        yield from _patiently(batches, workers.timeout)
    finally:
        # At once, and not when the last error that knows of it is forgotten.
        cast(Any, batches)._shutdown_workers()


def _patiently(batches: Iterator[Made], timeout: float) -> Iterator[Made]:
    """Wait as long as asked; PyTorch sees only when its own wait ends that a process has died."""
    patience = timeout
    while True:
        try:
            yield next(batches)
            patience = timeout
        except StopIteration:
            return
        except RuntimeError as error:
            patience -= _LOOK
            if "timed out" not in str(error) or patience <= 0:
                raise
        except (ConnectionError, EOFError, FileNotFoundError) as error:
            # It died between a batch and the handing over of its memory.
            raise RuntimeError("DataLoader worker exited") from error


@contextmanager
def _main_program_hidden() -> Iterator[None]:
    """Keep new processes from running the user's script again, which may have no guard.

    They need nothing of it: what they read with comes from modules.
    """
    main = sys.modules["__main__"]
    hidden = {name: main.__dict__.pop(name) for name in ("__file__",) if hasattr(main, name)}
    spec, main.__spec__ = main.__spec__, None
    try:
        yield
    finally:
        main.__dict__.update(hidden)
        main.__spec__ = spec


def _begin(number: int) -> None:
    """Ctrl-C is for the program, which ends its readers when it has saved."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.excepthook = _tell


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say nothing where the program left while a batch was handed over to it."""
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, trace)
