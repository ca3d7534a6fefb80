"""One row of the table."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, and what came out, with its unit."""

    what: str
    value: str


def megabytes(size_bytes: float) -> str:
    """A size for people: 2^20 bytes are a MiB."""
    return f"{size_bytes / 2**20:,.0f} MiB"
