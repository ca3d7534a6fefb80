"""Time as an argument: what decides takes a ``datetime``, what acts takes a ``Clock``."""

from __future__ import annotations

import datetime
import time
from typing import Final, Protocol

#: When this version was made: no machine that runs it lives before. Moved on with each version.
BUILD_TIME: Final = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)


class Clock(Protocol):
    """Where a shell gets its time from."""

    def now(self) -> datetime.datetime:
        """Read the wall clock: UTC, timezone-aware."""

    def monotonic(self) -> float:
        """Read a clock that never goes back, in seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait.

        Args:
            seconds: How long.
        """


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime.datetime:
        """Read the wall clock: UTC, timezone-aware."""
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        """Read a clock that never goes back, in seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait.

        Args:
            seconds: How long.
        """
        time.sleep(seconds)


def format_time(moment: datetime.datetime) -> str:
    """Write a moment as every document does: RFC 3339 in UTC, whole seconds, like ``2026-01-31T12:00:00Z``.

    Args:
        moment: A timezone-aware moment; one without is taken as local time.

    Returns:
        The text.
    """
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime.datetime:
    """Read what `format_time` wrote.

    Args:
        text: The text.

    Returns:
        The moment in UTC, timezone-aware.

    Raises:
        ValueError: If it is written otherwise.
    """
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
