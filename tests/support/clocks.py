"""A clock that a test moves by hand."""

from __future__ import annotations

import datetime


class ManualClock:
    """A `Clock` that stands still; ``sleep`` moves it on at once and is remembered in ``slept``."""

    def __init__(self, now: datetime.datetime = datetime.datetime(2027, 1, 1, 12, 0, 0, tzinfo=datetime.UTC)) -> None:
        self._now = now
        self._monotonic = 1000.0
        self.slept: list[float] = []

    def now(self) -> datetime.datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._now += datetime.timedelta(seconds=seconds)
        self._monotonic += seconds

    def set(self, now: datetime.datetime) -> None:
        self._now = now
