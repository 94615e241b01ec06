"""Connections of strangers: how many there are, how long they may say nothing, how much is logged.

Whoever opens connections and sends half a request holds none that another needs: where there are
too many, the one that has waited longest goes, and every request must have begun within seconds.
"""

import asyncio
import logging
import resource
import time
import traceback
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 256
"""At once; a page in a browser opens six."""

BACKLOG = 64
"""Connections that the system holds ready, all of which may be taken in one go."""

HEADER_SECONDS = 10.0
"""From a connection, or the first byte of a further request, to the end of its headers."""

# Seconds that a request may take before its connection may go, where all others are as busy.
_LEAST_SECONDS = 60.0


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 with a time limit for headers and a limit on connections."""

    _timer: asyncio.TimerHandle | None = None
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, in the place of the one that has waited longest where all are."""
        self._since = self.loop.time()
        if len(self.connections) >= _most() and not self._make_room():
            self.transport = transport
            transport.abort()
            return
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget_timer()
        if self.flow is not None:  # it was taken
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in some bytes; what is no whole request yet has its time counted."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._is_idle:
            self._expect_headers()
        else:
            self._forget_timer()

    def on_response_complete(self) -> None:
        """Count the time from here for what may follow."""
        self._since = self.loop.time()
        super().on_response_complete()

    @property
    def _is_idle(self) -> bool:
        """True where no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _expect_headers(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEADER_SECONDS, self._drop_if_idle)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _drop_if_idle(self) -> None:
        self._timer = None
        if self._is_idle:
            self.transport.abort()

    def _make_room(self) -> bool:
        """Drop the connection that has waited longest, first of those without a request."""
        now = self.loop.time()
        others = [other for other in self.connections if isinstance(other, BoundedProtocol)]
        idle = [other for other in others if other._is_idle]
        late = [other for other in others if now - other._since > _LEAST_SECONDS]
        longest = min(idle or late, key=lambda other: other._since, default=None)
        if longest is None:
            return False
        self.connections.discard(longest)
        longest.transport.abort()
        return True


def _most() -> int:
    """Connections that the limit of open files leaves room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft < 0 else max(8, min(MOST_CONNECTIONS, soft // 4))


class OneLineASecond(logging.Filter):
    """Let a line a second through, and say how many were left out; a traceback is one line.

    Shared by all loggers that strangers can make speak.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last, self._left_out = -1.0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop a record, or make it one line."""
        now = time.monotonic()
        if now - self._last < 1 and self._last >= 0:
            self._left_out += 1
            return False
        words = " ".join(record.getMessage().split())[:300]
        if record.exc_info and record.exc_info[1] is not None:
            words += f": {_said(record.exc_info[1])}"
        if self._left_out:
            words += f" (and {self._left_out:,} lines like it)"
        record.msg, record.args, record.exc_info, record.exc_text = words, (), None, None
        self._last, self._left_out = now, 0
        return True


def _said(error: BaseException) -> str:
    """An exception and where it was raised, in one line."""
    frames: list[Any] = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}{place}"
