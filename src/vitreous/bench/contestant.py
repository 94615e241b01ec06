"""A subject in a process of its own, which works when it is told to.

What one package or setting does to a process (threads, allocator, compiler) so stays its own.
"""

import multiprocessing
import os
import signal
import warnings
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import torch

from vitreous.bench.case import Case
from vitreous.bench.entrant import conditions, enter
from vitreous.bench.measure import time_calls
from vitreous.bench.roster import PEERS
from vitreous.bench.subject import LeftOutError
from vitreous.bench.work import Job
from vitreous.errors import UserError
from vitreous.parallel.host_memory import keep_freed_memory
from vitreous.parallel.parent import end_with_parent

KILLED = "killed"
"""As a failure begins that another try may not have."""


class Contestant:
    """A subject that is ready, in a process that lasts until it is closed.

    Args:
        name: Of the subject.
        case: What it shall do.

    Attributes:
        said: What is told of it: version, difference of logits, memory.

    Raises:
        LeftOutError: It cannot take part, for want of memory too.
        UserError: The case's model cannot be made.
    """

    def __init__(self, name: str, case: Case) -> None:
        context = multiprocessing.get_context("spawn")
        self._wire, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, name, case), daemon=True)
        self._process.start()
        other.close()
        self.said: dict[str, Any] = {}
        try:
            self.said = self._answer()
        except BaseException:
            self.close()
            raise

    def turn(self, calls: int) -> tuple[float, float]:
        """Seconds of one call out of some, by the clock or the device's events, and of processors.

        Raises:
            LeftOutError: It can no more.
        """
        with suppress(ConnectionError):  # it has died, and says why below
            self._wire.send(calls)
        clock, processor = self._answer()
        return clock, processor

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._wire.close()
        self._process.kill()
        self._process.join()

    def _answer(self) -> Any:
        try:
            said = self._wire.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            how = f"{KILLED}, most likely for want of memory"
            raise LeftOutError(how if code == -signal.SIGKILL else f"exit code {code}") from None
        if isinstance(said, UserError):
            raise said
        if isinstance(said, str):
            raise LeftOutError(said)
        return said


def _serve(wire: Connection, name: str, case: Case) -> None:
    """Be ready, say so, and work until nobody asks any more; what goes wrong is one line."""
    end_with_parent()
    warnings.simplefilter("ignore")
    if name in PEERS:
        # The allocator stays as they leave it, though models of ours are built here too.
        os.environ.setdefault("MALLOC_MMAP_MAX_", "65536")
    else:
        keep_freed_memory()  # as whoever loads a model of ours has it
    try:
        with conditions(case):
            job, said = enter(name, case)
            wire.send(said)
            while calls := _asked(wire):
                wire.send(_timed(job, calls, case.device))
    except ConnectionError:  # nobody is there any more
        pass
    except UserError as error:
        wire.send(error)
    except LeftOutError as reason:
        wire.send(str(reason))
    except Exception as error:  # of whatever package
        wire.send(_one_line(error))


def _asked(wire: Connection) -> int | None:
    """For how many calls; None when the other end is gone."""
    try:
        calls: int = wire.recv()
    except EOFError:
        return None
    return calls


def _timed(job: Job, calls: int, device: str) -> tuple[float, float]:
    """A turn; on a GPU the memory that calls reuse is the others' in between."""
    if torch.device(device).type != "cuda":
        return time_calls(job.run, calls)
    job.run()  # takes it again
    timed = time_calls(job.run, calls, device)
    torch.cuda.empty_cache()
    return timed


def _one_line(error: BaseException) -> str:
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
        return "out of memory"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"
