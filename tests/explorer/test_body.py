"""Bodies that are too large or never come."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from vitreous.explorer.body import Uploads


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
    return asyncio.run(Uploads().read(request, most, seconds=0.2))


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


class _Client:
    """Sends some chunks, and then what it is told to."""

    def __init__(self, chunks: Sequence[bytes], then: str = "nothing") -> None:
        self.chunks, self.then = list(chunks), then

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self.chunks:
            return {"type": "http.request", "body": self.chunks.pop(0), "more_body": True}
        if self.then == "leaves":
            return {"type": "http.disconnect"}
        if self.then == "ends":
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.sleep(60)
        raise AssertionError

    @property
    def request(self) -> Request:
        return Request({"type": "http", "method": "POST", "headers": []}, self.receive)


def test_half_uploads_give_way_to_whole_ones() -> None:
    """Together they would hold more than there is: the oldest goes, and the newest ends."""

    async def both() -> tuple[Any, bytes]:
        uploads = Uploads(most=250)
        stuck = asyncio.create_task(uploads.read(_Client([bytes(90)] * 2).request, 200))
        await asyncio.sleep(0.05)
        whole = await uploads.read(_Client([bytes(90)], "ends").request, 200)
        (refused,) = await asyncio.gather(stuck, return_exceptions=True)
        assert uploads.held == 0
        return refused, whole

    refused, whole = asyncio.run(both())
    assert whole == bytes(90)
    assert isinstance(refused, HTTPException)
    assert refused.status_code == 408


def test_a_client_that_leaves_is_no_fault() -> None:
    with pytest.raises(HTTPException) as caught:
        asyncio.run(Uploads().read(_Client([b"half"], "leaves").request, 100))
    assert caught.value.status_code == 400
