"""A real server on a real socket."""

import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
import uvicorn

from vitreous.errors import UserError
from vitreous.explorer import server
from vitreous.explorer.app import Explorer
from vitreous.explorer.server import HOST, address, bind, configure
from vitreous.explorer.subject import Subject


@pytest.fixture
def port(make_subject: Callable[..., Subject]) -> Iterator[int]:
    """An explorer that answers; its lines are short."""
    places = {"passes": 4, "maps": 2, "cuts": 8}
    app = Explorer([make_subject()], places=places).app()
    with bind(0) as listener:
        found = listener.getsockname()[1]
        running = uvicorn.Server(configure(app))
        running.install_signal_handlers = lambda: None
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        yield found
        running.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def post(port: int, data: bytes) -> int:
    connection = HTTPConnection(HOST, port, timeout=60)
    try:
        connection.request("POST", "/api/subjects/0/looks", data)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def test_fifty_uploads_at_once_keep_it_alive(port: int, photo: bytes) -> None:
    answers: Counter[int] = Counter()

    def upload(number: int) -> None:
        # Bytes behind the end of a PNG make it another file of the same pixels.
        answers[post(port, photo + bytes([number]))] += 1

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sum(answers.values()) == 50
    assert set(answers) <= {200, 503}
    assert answers[200] >= 4
    assert post(port, photo) == 200


def test_connections_that_say_nothing_do_not_stop_it(port: int, photo: bytes) -> None:
    silent = [socket.create_connection((HOST, port)) for _ in range(40)]
    for connection in silent[:20]:
        connection.sendall(b"POST /api/subjects/0/looks HTTP/1.1\r\nHost: localhost\r\n")
    assert post(port, photo) == 200
    for connection in silent:
        connection.close()
    assert post(port, photo) == 200


def test_a_port_that_is_taken_is_one_line() -> None:
    with bind(0) as listener:
        port = listener.getsockname()[1]
        assert address(listener) == f"http://127.0.0.1:{port}/"
        with pytest.raises(UserError, match=f"port {port}: .*in use.*--port 0"):
            bind(port)
    bind(port).close()


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none(port: int) -> None:
    with pytest.raises(UserError, match="65535"):
        bind(port)


def test_ctrl_c_ends_it_without_a_fault(tmp_path: Path) -> None:
    """The command as it is typed; the signal comes while a request is open."""
    import signal

    import vitreous

    config = vitreous.ViTConfig(
        image_size=16, patch=8, width=12, depth=1, heads=2, mlp_width=12, num_classes=2
    )
    vitreous.save(vitreous.create_model(config), tmp_path / "tiny.safetensors")
    command = [sys.executable, "-m", "vitreous", "explore", str(tmp_path / "tiny.safetensors")]
    process = subprocess.Popen(
        [*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("tiny.safetensors: http://127.0.0.1:")
    port = int(line.split("/")[2].split(":")[1])
    open_connection = socket.create_connection((HOST, port))
    open_connection.sendall(b"GET / HTTP/1.1\r\n")
    connection = HTTPConnection(HOST, port, timeout=60)
    connection.request("GET", "/")
    assert connection.getresponse().read().startswith(b"<!doctype html>")
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")
    assert time.monotonic() - begin < 25
    open_connection.close()
    connection.close()


def test_the_browser_opens_when_asked(
    make_subject: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    monkeypatch.setattr(server.webbrowser, "open", opened.append)
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    app = Explorer([make_subject()]).app()
    for asked in (False, True):
        with bind(0) as listener:
            expected = address(listener)
            server.serve(app, listener, browser=asked)
    assert opened == [expected]
