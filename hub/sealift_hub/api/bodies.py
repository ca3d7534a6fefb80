"""Request bodies, read in the event loop, bounded in bytes and seconds before anything looks at them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from sealift_core.errors import LimitError
from sealift_hub.limits import Limits

_RETRY: Final = {"retry-after": "1"}


class BodyReader:
    """Reads the bodies of one hub; all large ones together are bounded, too."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held_bytes = 0

    def bounded(self, max_bytes: int, admit: Callable[[Request], Awaitable[None]] | None = None) -> Callable[[Request], AsyncIterator[bytes]]:
        """A dependency that gives a request's body; `LimitError` if it is larger, 408 if it takes longer, 503 if others have all the room.

        ``admit`` is asked before anything of the body is read, and raises if nobody wants it.
        """

        async def read(request: Request) -> AsyncIterator[bytes]:
            """Give the whole body; while the endpoint uses a large one, it counts against the bytes that all bodies share."""
            if admit is not None:
                await admit(request)
            _check(int(request.headers.get("content-length", 0)), max_bytes)
            body = bytearray()
            counted = 0
            try:
                async with asyncio.timeout(self._limits.body_seconds):
                    async for chunk in request.stream():
                        body += chunk
                        _check(len(body), max_bytes)
                        if len(body) > self._limits.small_bytes:
                            counted = self._count(len(body), counted)
                yield bytes(body)
            except TimeoutError as error:
                raise HTTPException(408, f"the body took longer than {self._limits.body_seconds:g} s") from error
            except ClientDisconnect as error:  # nobody hears it, but it is no fault of ours to be logged
                raise HTTPException(400, "the client disconnected before the body was complete") from error
            finally:
                self._held_bytes -= counted

        return read

    def _count(self, size: int, counted: int) -> int:
        if self._held_bytes + size - counted > self._limits.bodies_bytes:
            raise HTTPException(503, "too many large requests at once; try again later", headers=_RETRY)
        self._held_bytes += size - counted
        return size


def _check(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise LimitError("too large", where="body", expected=f"at most {max_bytes} bytes")
