"""Bodies that are too large or never come."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from vitreous.explorer.body import read_body


def read(chunks: Sequence[bytes], most: int = 100, told: int | None = None) -> bytes:
    """A request whose body comes in chunks; after the last, nothing comes any more."""
    coming = list(chunks)

    async def receive() -> dict[str, Any]:
        if not coming:
            await asyncio.sleep(60)
        chunk = coming.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": chunk != b""}

    headers = [] if told is None else [(b"content-length", str(told).encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    return asyncio.run(read_body(request, most, seconds=0.2))


def test_chunks_are_joined() -> None:
    assert read([b"one", b"two", b""]) == b"onetwo"
    assert read([bytes(100), b""], told=100) == bytes(100)


@pytest.mark.parametrize(
    ("chunks", "told"), [([], 101), ([bytes(99), b"12"], None), ([b""], 9**30)]
)
def test_too_much_is_refused_before_it_is_all_there(chunks: list[bytes], told: int | None) -> None:
    with pytest.raises(HTTPException) as caught:
        read(chunks, told=told)
    assert caught.value.status_code == 413


def test_what_does_not_come_is_not_waited_for() -> None:
    with pytest.raises(HTTPException) as caught:
        read([b"begun"], told=50)
    assert caught.value.status_code == 408
