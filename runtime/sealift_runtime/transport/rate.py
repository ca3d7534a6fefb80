"""When a download is too slow to go on; pure, time is an argument."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """A download that brings less than ``minimum_bytes_per_s`` over ``window_s`` is given up."""

    minimum_bytes_per_s: float = 256.0
    window_s: float = 60.0


class RateWatch:
    """Counts bytes in consecutive windows of ``limits.window_s``; ``start`` is a monotonic time in seconds."""

    def __init__(self, limits: RateLimits, start: float) -> None:
        self._limits = limits
        self._start = start
        self._bytes = 0

    def too_slow(self, size_bytes: int, now: float) -> float | None:
        """Count ``size_bytes`` that came by ``now``; the rate in bytes per second if a full window was below the minimum."""
        self._bytes += size_bytes
        elapsed = now - self._start
        if elapsed < self._limits.window_s:
            return None
        rate = self._bytes / elapsed
        self._start, self._bytes = now, 0
        return rate if rate < self._limits.minimum_bytes_per_s else None
