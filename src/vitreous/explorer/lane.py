"""Work for a thread or two, with a short line before it: whoever finds it full is told at once."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class BusyError(Exception):
    """There is no place left in the line."""


class ClosedError(Exception):
    """The server is going down."""


class Lane:
    """Threads, mostly one, that work off what is asked of them, in order.

    Args:
        places: Requests that are taken at a time, with those that are being worked on.
        threads: How many there are.
    """

    def __init__(self, places: int, threads: int = 1) -> None:
        self._places = places
        self._taken = 0
        self._closed = False
        self._executor = ThreadPoolExecutor(max_workers=threads)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the line; from the event loop's thread.

        Raises:
            BusyError: There is none left.
        """
        if self._taken >= self._places:
            raise BusyError
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def run(self, work: Callable[[], T]) -> T:
        """Do some work in the thread, once it is its turn."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def check(self) -> None:
        """Raise `ClosedError` once the lane is closed: for work that takes long."""
        if self._closed:
            raise ClosedError

    def close(self) -> None:
        """Take nothing more; what is waiting is dropped."""
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)
