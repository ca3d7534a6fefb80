"""Running totals of one model since it began to serve."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping

from sealift_core.messages.histogram import BUCKETS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Totals; two of them subtract to what lies between.

    ``requests`` were answered, ``failures`` (by reason) were not. ``rows`` were counted into bins, ``dropped_rows`` were
    answered but not counted, because the queue was full. ``nonfinite`` answers, of those counted, held a NaN or an
    infinity. ``latency_counts`` are the buckets of `sealift_core.messages.histogram`, ``latency_sum_ms`` their sum.
    """

    requests: int = 0
    rows: int = 0
    failures: Mapping[str, int] = dataclasses.field(default_factory=dict)
    nonfinite: int = 0
    latency_counts: tuple[int, ...] = (0,) * BUCKETS
    latency_sum_ms: float = 0.0
    dropped_rows: int = 0

    def plus(self, other: Counters) -> Counters:
        """Both together."""
        return Counters(
            requests=self.requests + other.requests,
            rows=self.rows + other.rows,
            failures=dict(collections.Counter(self.failures) + collections.Counter(other.failures)),
            nonfinite=self.nonfinite + other.nonfinite,
            latency_counts=tuple(one + more for one, more in zip(self.latency_counts, other.latency_counts, strict=True)),
            latency_sum_ms=self.latency_sum_ms + other.latency_sum_ms,
            dropped_rows=self.dropped_rows + other.dropped_rows,
        )

    def since(self, earlier: Counters) -> Counters:
        """What came after ``earlier``; reasons that no failure had are left out."""
        failures = {reason: count - earlier.failures.get(reason, 0) for reason, count in self.failures.items()}
        return Counters(
            requests=self.requests - earlier.requests,
            rows=self.rows - earlier.rows,
            failures={reason: count for reason, count in failures.items() if count},
            nonfinite=self.nonfinite - earlier.nonfinite,
            latency_counts=tuple(now - then for now, then in zip(self.latency_counts, earlier.latency_counts, strict=True)),
            latency_sum_ms=self.latency_sum_ms - earlier.latency_sum_ms,
            dropped_rows=self.dropped_rows - earlier.dropped_rows,
        )
