"""What a site decides about updates."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Final

from sealift_runtime.store.device_store import DEFAULT_RESERVE_BYTES


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProbationPolicy:
    """When a new version goes back.

    Attributes:
        duration_s: How long a probation takes.
        minimum_requests: From so many requests on rates are judged.
        rate_margin: A rate is a breach if even the lower end of its interval is above this much, or so much above the previous version's where
            the two couldn't be compared request by request.
        minimum_pairs: From so many requests on that both versions were asked, time and memory are judged.
        latency_ratio: It is a breach if for most requests the new version takes more than this many times as long.
        growth_bytes: It is a breach if for most requests the process grows by more than this with the new version than with the previous one.
    """

    duration_s: float = 60.0
    minimum_requests: int = 20
    rate_margin: float = 0.01
    minimum_pairs: int = 20
    latency_ratio: float = 1.3
    growth_bytes: int = 256 * 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePolicy:
    """Limits and thresholds of updates.

    ``max_staleness`` is how long past its expiry timestamp metadata still lets new releases in; ``reserve_bytes`` of disk
    are never used; ``self_test_memory_bytes`` None sets no limit, ``slowdown_limit`` None doesn't judge speed; without
    ``sandbox`` a self-test has limits, but no walls. An update that was held up is tried again after ``retry_s``, then after twice as long each time,
    up to ``longest_retry_s``.
    """

    probation: ProbationPolicy = dataclasses.field(default_factory=ProbationPolicy)
    max_staleness: datetime.timedelta = datetime.timedelta(days=365)
    reserve_bytes: int = DEFAULT_RESERVE_BYTES
    self_test_timeout_s: float = 120.0
    self_test_memory_bytes: int | None = 4096 * 2**20
    slowdown_limit: float | None = None
    sandbox: bool = True
    retry_s: float = 60.0
    longest_retry_s: float = 900.0


#: What a site gets that decides nothing; agent.toml starts from it.
DEFAULT_POLICY: Final = UpdatePolicy()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a device is to run: a channel, and of that some models or (None) all."""

    channel: str = "stable"
    models: frozenset[str] | None = None
