from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from sealift_core.messages.histogram import BUCKETS
from sealift_hub.ingest.day import EMPTY, Day, WindowTotals, add
from support.simulated import HOUR, NOON

MOMENTS = st.datetimes(timezones=st.just(datetime.UTC))


def totals(end: datetime.datetime, requests: int = 1) -> WindowTotals:
    return WindowTotals(end=end, requests=requests, failures=0, latency_counts=[requests] * BUCKETS)


def test_the_hour_of_the_newest_window_counts_and_the_23_before_it() -> None:
    day = add(EMPTY, [totals(NOON - hours * HOUR) for hours in range(30)])
    assert (day.until, day.totals[0], len(day.hours)) == (NOON, 24, 24)


def test_a_window_that_comes_a_little_late_is_counted_and_does_not_set_the_day_back() -> None:
    day = add(add(EMPTY, [totals(NOON)]), [totals(NOON - 2 * HOUR)])
    assert (day.until, day.totals[0]) == (NOON, 2)


def test_a_window_of_a_day_before_begins_anew() -> None:
    day = add(add(EMPTY, [totals(NOON)]), [totals(NOON - 24 * HOUR)])
    assert (day.until, day.totals[0]) == (NOON - 24 * HOUR, 1)


@given(st.lists(st.lists(MOMENTS, max_size=4), max_size=6))
def test_windows_of_any_time_are_taken_and_a_day_holds_24_hours_of_them_at_most(reports: list[list[datetime.datetime]]) -> None:
    day: Day = EMPTY
    for ends in reports:
        day = add(day, map(totals, ends))
        assert len(day.hours) <= 24
        assert sum(sums[0] for sums in day.hours.values()) == day.totals[0] == day.totals[2]
        assert not ends or day.totals[0] >= 1, "the newest window counts, whatever its time"
