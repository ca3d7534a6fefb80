"""Every bound on the requests for models, in one place, with units."""

from __future__ import annotations

import dataclasses
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InferenceLimits:
    """Bounds of one service.

    ``queued_requests`` of a model wait for a worker; above, requests are refused. ``inline_latency_us`` is how quick a model has to be to run on the
    event loop itself, ``inline_bytes`` how small the request. One that runs there for ``inline_s`` even so is ended and goes to a worker, where it
    is ended for good after ``execution_s``.
    """

    queued_requests: int = 256
    inline_latency_us: float = 200.0
    inline_bytes: int = 256 * 1024
    inline_s: float = 0.1
    execution_s: float = 120.0


LIMITS: Final = InferenceLimits()
