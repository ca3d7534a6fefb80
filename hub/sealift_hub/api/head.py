"""HEAD is answered as GET is, without the body (RFC 9110, 9.3.2): monitors and proxies ask so."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware that asks for what a HEAD names, and sends the head of the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. The repository's files have a HEAD of their own, which opens none."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"].startswith("/repository/"):
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app(dict(scope) | {"method": "GET"}, receive, without_body)
