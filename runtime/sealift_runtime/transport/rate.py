"""When a download is too slow to go on; pure, time is an argument."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """When a download is too slow to go on.

    Attributes:
        minimum_bytes_per_s: The least rate.
        window_s: Over how many seconds it is taken.
    """

    minimum_bytes_per_s: float = 256.0
    window_s: float = 60.0


class RateMonitor:
    """Counts bytes in consecutive windows."""

    def __init__(self, limits: RateLimits, start: float) -> None:
        """Begin the first window.

        Args:
            limits: The least rate, and the length of a window.
            start: A monotonic time in seconds.
        """
        self._limits = limits
        self._start = start
        self._bytes = 0

    def too_slow(self, size_bytes: int, now: float) -> float | None:
        """Count bytes that came.

        Args:
            size_bytes: How many.
            now: A monotonic time in seconds.

        Returns:
            The rate in bytes per second, if a full window was below the least one; else None.
        """
        self._bytes += size_bytes
        elapsed = now - self._start
        if elapsed < self._limits.window_s:
            return None
        rate = self._bytes / elapsed
        self._start, self._bytes = now, 0
        return rate if rate < self._limits.minimum_bytes_per_s else None
