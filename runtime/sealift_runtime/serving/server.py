"""The listeners and their life: TCP and a Unix domain socket, side by side, over one table of models."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import errno
import functools
import heapq
import operator
import os
import socket
import stat
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from sealift_core.errors import BusyError, ConfigurationError, SealiftError
from sealift_core.hardware.limits import usable_cores
from sealift_core.http.hosts import AllowedHosts
from sealift_core.process.descriptors import make_room
from sealift_core.process.memory import resident_bytes
from sealift_runtime.inference.service import InferenceService
from sealift_runtime.inference.table import ModelTable
from sealift_runtime.inference.workers import Workers
from sealift_runtime.monitoring.prometheus import Load
from sealift_runtime.serving.answering import Cancellable, Reply
from sealift_runtime.serving.byte_budget import ByteBudget
from sealift_runtime.serving.connection import ClientConnection
from sealift_runtime.serving.endpoints import Endpoints, Routes
from sealift_runtime.serving.http import HttpRequest
from sealift_runtime.serving.limits import LIMITS, ServingLimits

T = TypeVar("T")
SWEEP_S: Final = 0.5
BACKLOG: Final = 4096
_ASKED_LATELY_S: Final = 60.0
_CHOSEN_AT_ONCE: Final = 64
#: How long clients that are refused at the end may take to read that, and how long runs may take to end.
_LAST_WORDS_S, _END_RUNS_S = 1.0, 2.0
#: Linux's limit on the path of a Unix domain socket.
MAX_SOCKET_PATH_BYTES: Final = 107
_NO_ROUTES: Final[Routes] = MappingProxyType({})


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a uvloop event loop (asyncio's own where there is no uvloop)."""
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


class InferenceServer:
    """Serves a table of models; made and used on a running event loop.

    ``routes`` maps (method, path) to handlers everywhere, ``local_routes`` on the Unix domain socket alone; ``metrics``
    gives the text of ``/metrics``; ``threads`` is how many workers run heavy models (as many as cores, if None).
    ``host_names`` are names that the server is asked under beside its own (see `sealift_core.http.hosts`).
    """

    def __init__(
        self,
        table: ModelTable,
        *,
        limits: ServingLimits = LIMITS,
        routes: Routes = _NO_ROUTES,
        local_routes: Routes = _NO_ROUTES,
        metrics: Callable[[], str] = str,
        threads: int | None = None,
        host_names: Sequence[str] = (),
    ) -> None:
        self.limits = limits
        self.max_connections = make_room(limits.connections)
        self.budget = ByteBudget(limits.in_flight_bytes)
        self._address = "127.0.0.1"
        self.answer_to(host_names)
        self.stopping = False
        self._asked_at = -_ASKED_LATELY_S
        self.connections: set[ClientConnection] = set()
        self._local = 0
        self._silent: list[tuple[tuple[bool, float], ClientConnection]] = []
        self._table = table
        self._loop = asyncio.get_running_loop()
        self._workers = Workers(self._loop, threads=threads or usable_cores(), queued=limits.inference.queued_requests)
        self._service = InferenceService(table, self._workers, limits=limits.inference)
        self._endpoints = Endpoints(
            self._service,
            limits=limits,
            budget=self.budget,
            routes=routes,
            local_routes=local_routes,
            metrics=metrics,
            is_ready=lambda: self.ready,
        )
        self._listeners: list[asyncio.Server] = []
        self._socket_path: Path | None = None
        self._all_closed = asyncio.Event()
        self._tick()
        self._sweeper = self._loop.create_task(self._sweep())

    @property
    def ready(self) -> bool:
        """Whether inference requests can be answered: every model that is to serve does, at least one, and the server isn't stopping."""
        return not self.stopping and bool(self._table.list()) and not self._table.absences()

    def answer(self, request: HttpRequest, reply: Reply, *, local: bool) -> Cancellable | None:
        """Answer a request; what connections call."""
        if not local:
            self._asked_at = self.now
        return self._endpoints.answer(request, reply, local=local)

    def load(self) -> Load:
        """What the server holds for its clients at this moment."""
        served = {model.name: 0 for model in self._table.list()}
        return Load(
            in_flight_bytes=self.budget.held_bytes,
            in_flight_limit_bytes=self.budget.most_bytes,
            resident_bytes=resident_bytes(),
            connections=len(self.connections),
            queued=served | self._workers.waiting(),
        )

    def admit(self, connection: ClientConnection) -> bool:
        """Whether there is room for one more client; what connections call.

        Who has been silent longest makes room, those who never asked anything first, for one that only holds a connection keeps nobody out.
        Connections of the Unix domain socket, by which the device's owner and the control plane speak, are always taken.
        """
        if not connection.local and len(self.connections) - self._local >= self.max_connections:
            silent = self._longest_silent()
            if silent is None:
                return False
            silent.abort()
            self.forget(silent)
        self.connections.add(connection)
        self._local += connection.local
        return True

    def _longest_silent(self) -> ClientConnection | None:
        """Who never asked anything and has been silent longest, or else who has been silent longest.

        Several are chosen at once, as a thousand clients may come at once.
        """
        for _ in range(2):
            while self._silent:
                standing, connection = self._silent.pop()
                if connection in self.connections and connection.idle and connection.standing == standing:
                    return connection
            idle = ((other.standing, other) for other in self.connections if not other.local and other.idle)
            self._silent = heapq.nsmallest(_CHOSEN_AT_ONCE, idle, key=operator.itemgetter(0))[::-1]
        return None

    def forget(self, connection: ClientConnection) -> None:
        """Take note that a connection is closed; what connections call."""
        if connection in self.connections:
            self.connections.discard(connection)
            self._local -= connection.local
        if self.stopping and not self.connections:
            self._all_closed.set()

    def answer_to(self, host_names: Sequence[str]) -> None:
        """Answer requests under these names from now on, beside the server's own. May be called from any thread."""
        self._host_names = host_names
        self.hosts = AllowedHosts(self._address, host_names)

    def limit(self, limits: ServingLimits) -> None:
        """Go by other limits from now on; the number of threads stays. May be called from any thread."""
        self.limits = self._endpoints.limits = limits
        self.max_connections = make_room(limits.connections)
        self.budget.limit(limits.in_flight_bytes)
        self._service.limits = limits.inference
        self._workers.limit(limits.inference.queued_requests)

    async def start_tcp(self, host: str, port: int) -> int:
        """Listen on a TCP port (0: a free one) and give its number; `ConfigurationError` if that can't be."""
        self._address = host
        self.answer_to(self._host_names)
        try:
            listener = await self._loop.create_server(functools.partial(ClientConnection, self, local=False), host, port, backlog=BACKLOG)
        except (OSError, OverflowError) as error:
            raise _cannot_listen(error, host, port) from error
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def start_unix(self, path: Path, *, mode: int = 0o600) -> None:
        """Listen on a Unix domain socket with these permissions; a socket that a dead server left is replaced.

        Raises `BusyError` if a server listens there, `ConfigurationError` if that can't be for another reason.
        """
        if len(str(path).encode()) > MAX_SOCKET_PATH_BYTES:
            expected = f"at most {MAX_SOCKET_PATH_BYTES} bytes"
            raise ConfigurationError(
                "the path is too long for a Unix socket", where=str(path), expected=expected, advice="Choose a shorter home directory."
            )
        bound = _bind_socket(path, mode)
        self._listeners.append(
            await self._loop.create_unix_server(functools.partial(ClientConnection, self, local=True), sock=bound, backlog=BACKLOG)
        )
        self._socket_path = path

    async def stop(self, drain_s: float = 10.0, *, notice_s: float = 0.0) -> bool:
        """End in order.

        1. For ``notice_s`` clients are answered as ever, but the server isn't ready and closes connections, so that whoever spreads requests over
           several servers notices. That is left out if nobody asked over TCP for a minute.
        2. No new connection is taken, and what is under way is finished within ``drain_s``.
        3. What isn't finished then is refused (503), and its runs are ended.

        Returns whether every run has ended; one long node of a graph can't be interrupted.
        """
        self.stopping = True
        if notice_s and self.now - self._asked_at < _ASKED_LATELY_S:
            await asyncio.sleep(notice_s)  # 1
        for listener in self._listeners:
            listener.close()
        for connection in list(self.connections):
            connection.shut()
        if not await self._closed_within(drain_s):  # 2
            for connection in list(self.connections):
                connection.give_up()  # 3
            await self._closed_within(_LAST_WORDS_S)
            for connection in list(self.connections):
                connection.abort()
            await asyncio.sleep(0)
        self._sweeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sweeper
        if self._socket_path is not None:
            self._socket_path.unlink(missing_ok=True)
        return await asyncio.to_thread(self._workers.stop, _END_RUNS_S)

    async def _closed_within(self, seconds: float) -> bool:
        """Whether all connections are closed by then."""
        self._all_closed.clear()
        if self.connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_closed.wait(), seconds)
        return not self.connections

    def _tick(self) -> None:
        self.now = self._loop.time()
        self.date = email.utils.formatdate(usegmt=True)
        self.ok_start = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: {self.date}\r\ncontent-length: ".encode()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self._tick()
            for connection in list(self.connections):
                connection.sweep(self.now)


def _cannot_listen(error: OSError | OverflowError, host: str, port: int) -> SealiftError:
    where = f"{host}:{port}"
    reason = getattr(error, "errno", None)
    if reason == errno.EADDRINUSE:
        return BusyError(f"port {port} is in use", where=where, advice="Stop the program that uses it, or choose another port (0 picks a free one).")
    if reason == errno.EACCES:
        return ConfigurationError(
            f"this user may not listen on port {port}", where=where, advice="Choose a port above 1023, or grant CAP_NET_BIND_SERVICE."
        )
    if isinstance(error, OverflowError):
        return ConfigurationError("not a port number", where=where, expected="0 to 65535", found=str(port))
    if isinstance(error, socket.gaierror) or reason == errno.EADDRNOTAVAIL:
        return ConfigurationError(
            f"{host!r} isn't an address of this machine", where=where, advice="Use 127.0.0.1, 0.0.0.0, or an address of this machine."
        )
    return ConfigurationError(f"can't listen on this address, caused by: {error}", where=where)


def _bind_socket(path: Path, mode: int) -> socket.socket:
    """A Unix domain socket at ``path``, which never has wider permissions than ``mode``."""
    _clear_socket(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(bound.fileno(), mode)
        bound.bind(str(path))
        path.chmod(mode)
    except OSError as error:
        bound.close()
        raise ConfigurationError(f"can't listen on this socket ({error.strerror or error})", where=str(path)) from error
    return bound


def _clear_socket(path: Path) -> None:
    """Remove a socket that nobody listens on; refuse if someone does, or if it is no socket."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise ConfigurationError("the path is taken by something that isn't a socket", where=str(path), advice="Move or remove it.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise BusyError("another server listens on this socket", where=str(path), advice="Stop the agent that runs there.")
