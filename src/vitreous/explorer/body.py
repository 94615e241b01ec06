"""What a request brings along, read within limits of bytes and time."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_UPLOAD = 32 * 2**20
"""Largest image file that the page takes, bytes."""

_SECONDS = 30.0


async def read_body(request: Request, most: int, seconds: float = _SECONDS) -> bytes:
    """The whole body of a request.

    Args:
        request: Not yet read.
        most: Bytes.
        seconds: That it may take.

    Raises:
        HTTPException: 413 where it is larger, 408 where it takes longer.
    """
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > most:
        raise _too_large(most)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise _too_large(most)
                chunks.append(chunk)
    except TimeoutError as error:
        raise HTTPException(408, "the upload took too long") from error
    return b"".join(chunks)


def _too_large(most: int) -> HTTPException:
    limit = f"{most >> 20} MiB" if most >= 2**20 else f"{most >> 10} KiB"
    # Whoever sends more than that shall not be listened to until the end.
    return HTTPException(413, f"the file is over the limit of {limit}", {"Connection": "close"})
