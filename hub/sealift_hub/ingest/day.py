"""A model's last day as sums by the hour, so that a report adds its own windows and nothing is summed anew.

Times in here are those of the device, but never later than when the hub got the report: a clock that runs ahead can't put its windows where no
later one ever comes.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sealift_core.messages.histogram import BUCKETS
from sealift_core.messages.report import Window, model_failures

HOURS: Final = 24
_HOUR: Final = datetime.timedelta(hours=1)
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WindowTotals:
    """What of a window goes into a day's sums; ``end`` is capped already."""

    end: datetime.datetime
    requests: int
    failures: int
    latency_counts: Sequence[int]

    @classmethod
    def of(cls, window: Window, received: datetime.datetime) -> WindowTotals:
        """Those of a window in a report that came at ``received``."""
        return cls(
            end=min(window.end, received),
            requests=window.requests,
            failures=model_failures(window.failures),
            latency_counts=window.latency_counts,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The sums of the hour of ``until`` and of the 23 before it.

    ``until`` is the end of the newest window, None before the first. ``hours`` has a list for each hour that anything was counted in: requests,
    failures, and the buckets of the latencies. Sums may be larger than a database's integers.
    """

    until: datetime.datetime | None
    hours: Mapping[int, Sequence[int]]

    @property
    def totals(self) -> list[int]:
        """Requests, failures and the buckets of the latencies, over all hours."""
        return [sum(column) for column in zip(*self.hours.values(), strict=True)] or [0] * (2 + BUCKETS)


EMPTY: Final = Day(until=None, hours={})


def add(day: Day, windows: Iterable[WindowTotals]) -> Day:
    """Add the windows of the next report to a day.

    1. The newest window ends the day, but one that ends a little before the newest so far (two versions served at once) doesn't set it back.
    2. A window that ends a day or more before that one says that the clock was set back: the day begins anew there.
    3. Only the windows of the 24 hours count.
    """
    windows = list(windows)
    if not windows:
        return day
    newest = max(window.end for window in windows)
    until = newest if day.until is None or newest > day.until or day.until - newest >= HOURS * _HOUR else day.until  # 1, 2
    last = _hour(until)
    hours = {hour: list(sums) for hour, sums in day.hours.items() if last - HOURS < hour <= last}
    for window in windows:
        hour = _hour(window.end)
        if last - HOURS < hour <= last:  # 3
            counts = (window.requests, window.failures, *window.latency_counts)
            hours[hour] = [left + right for left, right in zip(hours.get(hour, [0] * len(counts)), counts, strict=True)]
    return Day(until=until, hours=hours)


def _hour(moment: datetime.datetime) -> int:
    return (moment - _EPOCH) // _HOUR
