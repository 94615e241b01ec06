"""What a request brings along, read within limits of bytes and time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

MAX_UPLOAD = 32 * 2**20
"""Largest image file that the page takes, bytes."""

_SECONDS = 30.0


class Uploads:
    """Bodies that are on their way, which together hold a bounded amount of memory.

    Where they would hold more, the one that was begun first is given up: whoever sends a part and
    then nothing keeps nobody else out.

    Args:
        most: Bytes of all of them.
    """

    def __init__(self, most: int = 8 * MAX_UPLOAD) -> None:
        self.most = most
        self.held = 0
        self._coming: dict[int, tuple[asyncio.Timeout, list[int]]] = {}

    async def read(self, request: Request, most: int, seconds: float = _SECONDS) -> bytes:
        """The whole body of a request.

        Args:
            request: Not yet read.
            most: Bytes.
            seconds: That it may take.

        Raises:
            HTTPException: 413 where it is larger, 408 where it takes longer or others came before
                it was there.
        """
        told = request.headers.get("content-length", "0")
        if told.isdecimal() and (len(told) > 18 or int(told) > most):
            raise _too_large(most)
        pieces, size = list[bytes](), 0
        try:
            async with asyncio.timeout(seconds) as limit:
                with self._counted(limit) as own:
                    async for piece in request.stream():
                        size += len(piece)
                        if size > most:
                            raise _too_large(most)
                        pieces.append(piece)
                        self._hold(own, len(piece))
        except TimeoutError as error:
            raise HTTPException(408, "the upload took too long", {"Connection": "close"}) from error
        except ClientDisconnect as error:
            raise HTTPException(400, "the client left during its upload") from error
        return b"".join(pieces)

    @contextmanager
    def _counted(self, limit: asyncio.Timeout) -> Iterator[list[int]]:
        own = [0]
        self._coming[id(own)] = limit, own
        try:
            yield own
        finally:
            self._coming.pop(id(own), None)
            self.held -= own[0]

    def _hold(self, own: list[int], size: int) -> None:
        own[0] += size
        self.held += size
        while self.held > self.most and self._coming:
            limit, oldest = self._coming.pop(next(iter(self._coming)))
            limit.reschedule(asyncio.get_running_loop().time())
            self.held -= oldest[0]
            oldest[0] = 0


def _too_large(most: int) -> HTTPException:
    limit = f"{most >> 20} MiB" if most >= 2**20 else f"{most >> 10} KiB"
    # Whoever sends more than that shall not be listened to until the end.
    return HTTPException(413, f"the file is over the limit of {limit}", {"Connection": "close"})
