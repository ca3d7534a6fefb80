"""The bounds on everything that comes from outside, in one place."""

from __future__ import annotations

import dataclasses

from sealift_core.messages.report import MAX_REPORT_BYTES


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes, counts and seconds; each with its unit in its name.

    ``head_bytes`` and ``head_seconds`` are for a request's line and headers, ``body_seconds`` for its body, ``idle_seconds`` for a client that
    doesn't take its answer. Bodies above ``small_bytes`` take ``bodies_bytes`` together; above, clients get 503. ``intakes`` devices are
    served at a time by those who write; readers have threads of their own. A body may come in ``body_pieces`` pieces of less than ``piece_bytes``:
    each one, like a chunk of a byte, costs the same time whatever it holds. A page of the API ends early where its devices have ``page_models``
    models together. However much a device has reported before, the cost of a report is bounded: its events are compared with at most
    ``compared_events`` earlier ones. The day of a model that an earlier hub stored is summed once, of at most ``day_windows`` windows.
    """

    head_bytes: int = 16 * 1024
    head_seconds: float = 10.0
    key_bytes: int = 16 * 1024
    report_bytes: int = 2 * MAX_REPORT_BYTES
    body_seconds: float = 60.0
    body_pieces: int = 16_384
    piece_bytes: int = 256
    idle_seconds: float = 60.0
    small_bytes: int = 64 * 1024
    bodies_bytes: int = 256 * 2**20
    intakes: int = 4
    devices: int = 10_000
    page_rows: int = 500
    page_models: int = 1000
    day_windows: int = 10_000
    compared_events: int = 2000


DEFAULT_LIMITS = Limits()
