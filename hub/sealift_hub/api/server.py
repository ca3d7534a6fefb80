"""Listens on an address and serves the application until told to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from sealift_core.process.descriptors import make_room
from sealift_core.terminal.printing import say
from sealift_hub.api.protocol import BoundedHttp
from sealift_hub.errors import PortError

GRACE_S: Final = 10
#: When told to stop, the hub is gone after so long, whatever its threads are at.
LAST_S: Final = GRACE_S + 5
IDLE_CONNECTION_S: Final = 30
MAX_CONNECTIONS: Final = 1000


def run(app: FastAPI, listener: socket.socket, words: Sequence[str] = ()) -> None:
    """Serve until SIGTERM or SIGINT, then let the answers under way finish; ``words`` are said once it listens, after the address."""
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        limit_concurrency=make_room(MAX_CONNECTIONS),
        timeout_keep_alive=IDLE_CONNECTION_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    _Server(config, (f"listening on {_url(listener)}", *words)).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; `PortError` with advice if there can't be one."""
    where = f"{host}:{port}"
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except UnicodeError as error:  # a part of the name that is empty or has more than 63 characters
        raise PortError("not a host name or an IP address", where=where, advice="Pass an address of this machine with --host.") from error
    except OSError as error:
        reason = str(error.strerror).split(" (")[0].lower()
        raise PortError(
            f"can't listen on this address ({reason})",
            where=where,
            advice="Stop the program that uses it, or pass another --port (0 picks a free one) or --host.",
        ) from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if listener.family == socket.AF_INET6 else f"http://{host}:{port}/"


class _Server(uvicorn.Server):
    """Says ``words`` once it listens, and ends with exit code 0 when it is told to stop."""

    def __init__(self, config: uvicorn.Config, words: Sequence[str]) -> None:
        super().__init__(config)
        self._words = words

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the address and what goes with it."""
        await super().startup(sockets)
        for words in self._words:
            say(words)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        last = threading.Timer(LAST_S, os._exit, (1,))
        last.daemon = True
        last.start()
        self.handle_exit(number, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully on SIGTERM and SIGINT; uvicorn's own would then end the process by that signal."""
        handlers = {number: signal.signal(number, self._leave) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
