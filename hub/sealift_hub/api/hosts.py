"""The hub answers under its own names only; `sealift_core.http.hosts` says why."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from sealift_core.http.hosts import AllowedHosts


class HostCheck:
    """ASGI middleware that refuses a request under another name with 421, and one that doesn't say its name with 400 (RFC 9112, 3.2)."""

    def __init__(self, app: ASGIApp, hosts: AllowedHosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        refusal = self._judge(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _judge(self, scope: Scope) -> JSONResponse | None:
        names = [value for name, value in scope["headers"] if name == b"host"]
        if not names and scope["http_version"] == "1.0":
            return None
        if len(names) != 1:
            return JSONResponse({"error": "expected exactly one Host header, which HTTP/1.1 requires"}, 400)
        if names[0] in self._hosts:
            return None
        shown = names[0][:100].decode("latin-1")
        return JSONResponse({"error": f"this hub isn't known as {shown!r}: if that is one of its names, start the hub with --host-name NAME"}, 421)
