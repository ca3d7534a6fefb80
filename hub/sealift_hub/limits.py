"""The bounds on everything that comes from outside, in one place."""

from __future__ import annotations

import dataclasses

from sealift_runtime.exchange.report import MAX_REPORT_BYTES


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes, counts and seconds; each with its unit in its name."""

    key_bytes: int = 16 * 1024
    report_bytes: int = 2 * MAX_REPORT_BYTES
    body_seconds: float = 60.0
    devices: int = 10_000
    page_rows: int = 500


DEFAULT_LIMITS = Limits()
