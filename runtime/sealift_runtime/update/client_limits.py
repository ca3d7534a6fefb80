"""How much clients may ask of the data plane, and how long they may take: what agent.toml says of it, and desired.json hands on. Pure."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from sealift_core.schema.documents import Document

DAY_S: Final = 86_400.0
MAX_NOTICE_S: Final = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """The limits, with units in their names; docs/reference/agent-files.md explains each.

    ``body_mb`` is the size of one body, ``in_flight_mb`` of all bodies and answers together (0: a part of the memory). ``queue`` requests of a
    model may wait; ``threads`` is how many run at once (0: as many as cores). A head may take ``header_s``. A body has to come, and an answer to
    be read, at ``min_kb_per_s`` once ``body_s`` or ``answer_s`` are over. ``idle_s`` is how long a connection without a request is kept,
    ``execution_s`` how long a model may work on one. For ``notice_s`` an agent that was told to stop still takes connections, and says that it
    isn't ready.
    """

    body_mb: int = 64
    in_flight_mb: int = 0
    connections: int = 1000
    queue: int = 256
    threads: int = 0
    header_s: float = 10.0
    body_s: float = 10.0
    answer_s: float = 60.0
    min_kb_per_s: float = 16.0
    idle_s: float = 75.0
    execution_s: float = 120.0
    notice_s: float = 2.0


NAMES: Final = tuple(field.name for field in dataclasses.fields(ClientLimits))
_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "body_mb": (1, 2048),
    "in_flight_mb": (0, 2**20),
    "connections": (1, 100_000),
    "queue": (1, 100_000),
    "threads": (0, 1024),
    "min_kb_per_s": (0, 2**20),
    "notice_s": (0, MAX_NOTICE_S),
}
_SECONDS: Final = (0.1, DAY_S)


def read_client_limits(document: Document) -> ClientLimits:
    """Read the limits.

    Args:
        document: A table that may have a field for each, among others.

    Returns:
        The limits, by default where there is no field.

    Raises:
        DocumentError: If one is of another type, or out of bounds.
    """
    default = ClientLimits()
    limits: dict[str, Any] = {}
    for name in NAMES:
        (low, high), value = _BOUNDS.get(name, _SECONDS), getattr(default, name)
        if isinstance(value, int):
            limits[name] = document.integer(name, value, minimum=int(low), maximum=int(high))
        else:
            limits[name] = document.number(name, value, minimum=low, maximum=high)
    return ClientLimits(**limits)
