"""Latency histograms with fixed logarithmic buckets, so that counts of windows, devices and sites add up exactly."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Final

#: Upper bounds in milliseconds, four per decade from 0.01 ms to 100 s; a last bucket takes everything above.
BOUNDS_MS: Final = tuple(round(10 ** (step / 4 - 2), 6) for step in range(29))
BUCKETS: Final = len(BOUNDS_MS) + 1


def bucket(latency_ms: float) -> int:
    """Find the bucket that counts a latency.

    Args:
        latency_ms: The latency.

    Returns:
        The bucket's index, 0 to `BUCKETS` - 1.
    """
    return bisect.bisect_left(BOUNDS_MS, latency_ms)


def quantile_ms(counts: Sequence[int], fraction: float) -> float | None:
    """Bound a quantile from above, by the bound of the bucket that it falls into.

    The error is at most one bucket, a factor of 10^(1/4) ≈ 1.78, below 100 s; what is above counts as 100 s.

    Args:
        counts: The latencies in each bucket, `BUCKETS` of them.
        fraction: Which quantile, 0 to 1: 0.99 for p99.

    Returns:
        The bound in milliseconds; None without observations.
    """
    total = sum(counts)
    if total == 0:
        return None
    seen = 0
    for index, count in enumerate(counts):
        seen += count
        if seen >= fraction * total:
            return BOUNDS_MS[min(index, len(BOUNDS_MS) - 1)]
    return BOUNDS_MS[-1]
