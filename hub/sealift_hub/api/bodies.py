"""Request bodies, read in the event loop, bounded in bytes and seconds before anything looks at them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import Request
from starlette.exceptions import HTTPException

from sealift_runtime.errors import LimitError


def bounded_body(max_bytes: int, max_seconds: float) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency that gives a request's body; `LimitError` if it is larger, 408 if it takes longer."""

    async def read(request: Request) -> bytes:
        _check(int(request.headers.get("content-length", 0)), max_bytes)
        body = bytearray()
        try:
            async with asyncio.timeout(max_seconds):
                async for chunk in request.stream():
                    body += chunk
                    _check(len(body), max_bytes)
        except TimeoutError as error:
            raise HTTPException(408, f"the body took longer than {max_seconds:g} s") from error
        return bytes(body)

    return read


def _check(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise LimitError("too large", where="body", expected=f"at most {max_bytes} bytes")
