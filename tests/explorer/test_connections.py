"""Strangers who open connections and send half a request, against a real server."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection

import pytest
import uvicorn

from vitreous.explorer import connections
from vitreous.explorer.app import Explorer
from vitreous.explorer.connections import OneLineASecond
from vitreous.explorer.server import HOST, bind, configure
from vitreous.explorer.subject import Subject

HALVES = (
    b"",
    b"GET /api/subjects HTTP/1.1\r\nHost: localhost\r\nX-",
    b"POST /api/subjects/0/looks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\nab",
    b"\x16\x03\x01\x02\x00",
)


@pytest.fixture
def port(make_subject: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """An explorer that takes 16 connections, and waits half a second for headers."""
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 16)
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(connections, "_LEAST_SECONDS", 0.2)
    with bind(0) as listener:
        running = uvicorn.Server(configure(Explorer([make_subject()]).app()))
        running.install_signal_handlers = lambda: None
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        running.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def answers(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=20)
    try:
        connection.request("GET", "/api/subjects")
        return connection.getresponse().status == 200
    finally:
        connection.close()


@pytest.mark.parametrize("half", HALVES)
def test_half_requests_keep_nobody_out(
    port: int, half: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Five times as many as it takes."""
    held = []
    for _ in range(80):
        connection = socket.create_connection((HOST, port))
        connection.sendall(half)
        held.append(connection)
    time.sleep(0.3)
    assert all(answers(port) for _ in range(3))
    assert len(caplog.records) <= 5
    for connection in held:
        connection.close()


@pytest.mark.parametrize("half", HALVES[:2])
def test_headers_that_never_come_are_not_waited_for(port: int, half: bytes) -> None:
    with socket.create_connection((HOST, port), timeout=20) as connection:
        connection.sendall(half)
        begin = time.monotonic()
        with suppress(ConnectionResetError):
            assert connection.recv(10) == b""
        assert time.monotonic() - begin < 10


def test_headers_that_come_drop_by_drop_are_not_waited_for(port: int) -> None:
    """Also after a whole request on the same connection."""
    with socket.create_connection((HOST, port), timeout=20) as connection:
        connection.sendall(b"GET /api/subjects HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        sent = 0
        with suppress(ConnectionError):  # it is closed while drops are sent
            while sent < 100:
                connection.sendall(b"G")
                sent += 1
                time.sleep(0.05)
        assert sent < 100


def test_the_log_has_a_line_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.Logger("stranger")
    logger.addHandler(handler := logging.StreamHandler())
    logger.addFilter(OneLineASecond())
    for _ in range(500):
        try:
            raise KeyError("no\nsuch\nthing")
        except KeyError:
            logger.exception("failed")
    time.sleep(1.05)
    logger.warning("again")
    handler.flush()
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("failed: KeyError: ")
    assert second == "again (and 499 lines like it)"
