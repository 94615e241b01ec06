"""The page on loopback: a socket of this machine, and the server that listens at it."""

import logging
import socket
import webbrowser

import uvicorn
from starlette.applications import Starlette

from vitreous.errors import UserError
from vitreous.explorer.connections import BACKLOG, BoundedProtocol, OneLineASecond

HOST = "127.0.0.1"


def bind(port: int) -> socket.socket:
    """Listen on loopback.

    Args:
        port: 0 takes any that is free.

    Raises:
        UserError: The port is taken, or not to be had.
    """
    if not 0 <= port < 2**16:
        raise UserError(f"--port is {port}: give a number from 0 (any that is free) to 65535")
    # Named TCP, or asyncio leaves small answers waiting 40 ms for an acknowledgement (Nagle).
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"port {port}: {reason}: choose another, or --port 0") from error
    listener.listen(BACKLOG)
    return listener


def address(listener: socket.socket) -> str:
    """Where the page is."""
    return f"http://{HOST}:{listener.getsockname()[1]}/"


def configure(app: Starlette) -> uvicorn.Config:
    """The server's settings: bounded connections, a line a second in the log."""
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        backlog=BACKLOG,
        timeout_graceful_shutdown=1,
    )
    sparing = OneLineASecond()
    for name in ("uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        for old in [old for old in logger.filters if isinstance(old, OneLineASecond)]:
            logger.removeFilter(old)
        logger.addFilter(sparing)
    return config


def serve(app: Starlette, listener: socket.socket, *, browser: bool = False) -> None:
    """Answer until Ctrl-C, which ends it without a fault.

    Args:
        app: The application.
        listener: Of `bind`.
        browser: Whether to open the page.
    """
    if browser:
        webbrowser.open(address(listener))
    try:
        uvicorn.Server(configure(app)).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()
