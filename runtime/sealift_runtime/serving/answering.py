"""How a connection and its server speak: a request goes in, its answer comes now or later, and nobody works for a client that went."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sealift_core.http.hosts import AllowedHosts
from sealift_runtime.inference.service import After
from sealift_runtime.serving.byte_budget import ByteBudget
from sealift_runtime.serving.http import HttpRequest, HttpResponse
from sealift_runtime.serving.limits import ServingLimits

if TYPE_CHECKING:
    from sealift_runtime.serving.connection import ClientConnection

Reply = Callable[[HttpResponse, After | None], None]


class Cancellable(Protocol):
    """Work that nobody waits for any more once ``cancelled`` is set."""

    cancelled: bool

    def wait_for_others(self) -> None:
        """Let the work begin once nobody else waits, if it hasn't begun."""


class ServerState(Protocol):
    """What a connection needs of its server."""

    limits: ServingLimits
    hosts: AllowedHosts
    budget: ByteBudget
    now: float
    date: str
    ok_start: bytes
    stopping: bool
    connections: set[ClientConnection]

    def admit(self, connection: ClientConnection) -> bool:
        """Take a connection among ``connections`` if there is room."""

    def forget(self, connection: ClientConnection) -> None:
        """Take note that a connection is closed."""

    def answer(self, request: HttpRequest, reply: Reply, *, local: bool) -> Cancellable | None:
        """Answer a request by calling ``reply`` once, now or later; the result can be told that the client is gone."""
