"""Who may ask, and what the page may do: nothing but this server's own pages, and nothing outside.

A page of another site can send requests to a server on loopback. It is refused by its `Origin`,
and, where it has its own name point to 127.0.0.1 (DNS rebinding), by the `Host` that it asks for.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
"""Names under which the page may be asked for, on any port, so that `ssh -L` works."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Set on every answer."""


class Guard:
    """Refuses what other sites send; sets `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        app = self.app
        if host.lower().rpartition(":")[0] not in HOSTS and host.lower() not in HOSTS:
            app = _refusal("this server answers to 127.0.0.1 and localhost only")
        elif origin is not None and origin != f"{scope['scheme']}://{host}":
            app = _refusal("this server answers to its own page only")
        await app(scope, receive, send_guarded)


def _refusal(reason: str) -> ASGIApp:
    return JSONResponse({"error": reason}, status_code=403)
