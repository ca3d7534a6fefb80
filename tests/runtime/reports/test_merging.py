from __future__ import annotations

import datetime
import functools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.errors import ReportError
from sealift_core.messages.report import Window
from sealift_core.schema.documents import Document
from sealift_runtime.reports.merging import merge, merge_by_age
from support.windows import NOON, make_feature, make_window

DAY = datetime.timedelta(days=1)


def test_counts_add_up_and_the_time_spans_both() -> None:
    merged = merge(make_window(1), make_window(4, failures={"shape": 1, "memory": 3}))
    assert (merged.start, merged.end) == (make_window(1).start, make_window(4).end)
    assert (merged.requests, merged.rows, merged.failures) == (20, 200, {"shape": 2, "memory": 3})
    assert sum(merged.latency_counts) == 20
    assert merged.features[0].counts == (20, 40, 60, 80)


def test_the_verdict_of_the_worse_window_and_the_mean_rate_of_missing_values_are_kept() -> None:
    calm = make_window(0, features=(make_feature("x", missing=0.0),))
    worse = make_window(1, features=(make_feature("x", counts=(0, 0, 0, 300), distance=0.9, psi=4.0, threshold=0.1, missing=1.0, alarm=True),))
    for merged in (merge(calm, worse), merge(worse, calm)):
        feature = merged.features[0]
        assert (feature.distance, feature.psi, feature.threshold, feature.missing, feature.alarm) == (0.9, 4.0, 0.1, 0.75, True)


def test_a_window_without_a_verdict_takes_that_of_the_other() -> None:
    assert merge(make_window(0, rows=0, features=()), make_window(1)).features == make_window(1).features
    assert merge(make_window(0), make_window(1, rows=0, features=())).features == make_window(0).features


def test_only_windows_of_one_bundle_are_merged() -> None:
    merged = merge_by_age([make_window(0), make_window(1, version="2.0.0"), make_window(2)], NOON + 20 * DAY)
    assert [(window.version, window.requests) for window in merged] == [("1.2.0", 20), ("2.0.0", 10)]
    with pytest.raises(ReportError, match="different bundles"):
        merge(make_window(0), make_window(1, model="other"))


def test_other_bins_can_not_be_added() -> None:
    with pytest.raises(ReportError, match=r"x\[0\]: bins differ"):
        merge(make_window(0), make_window(1, features=(make_feature("x[0]", counts=(1, 2)),)))


@given(order=st.permutations(range(5)))
def test_merging_in_any_order_gives_the_same_counts(order: list[int]) -> None:
    def window(number: int) -> Window:
        return make_window(number, requests=number, features=(make_feature("x", counts=(number, 1, 2, 3), alarm=number == 3),))

    merged = functools.reduce(merge, [window(number) for number in order])
    assert (merged.requests, merged.features[0].counts, merged.features[0].alarm) == (10, (10, 5, 10, 15), True)
    assert merged.merged == 5


def hours(count: int, **changes: Any) -> list[Window]:
    return [make_window(number, **changes) for number in range(count)]


def spans(windows: list[Window]) -> set[int]:
    """How many hours the windows were made of."""
    return {window.merged for window in windows}


def test_a_medium_that_comes_once_a_week_has_hours_and_one_that_comes_once_a_month_days() -> None:
    week, month = hours(7 * 24), hours(31 * 24)
    assert merge_by_age(week, week[-1].end) == week
    merged = merge_by_age(month, month[-1].end)
    assert len(merged) < 9 * 24 + 23
    assert merged[-8 * 24 :] == month[-8 * 24 :]
    assert max(window.end - window.start for window in merged) <= DAY
    assert sum(window.requests for window in merged) == 310 * 24
    assert sum(window.merged for window in merged) == 31 * 24


def test_merging_day_by_day_gives_what_merging_at_once_gives() -> None:
    kept: list[Window] = []
    for window in hours(60 * 24):
        kept = merge_by_age([*kept, window], window.end) if window.end.hour == 0 else [*kept, window]
    last = kept[-1].end
    assert merge_by_age(kept, last) == merge_by_age(hours(60 * 24), last)


def test_minutes_become_hours_after_a_day() -> None:
    minute = datetime.timedelta(minutes=1)
    windows = [make_window(0, start=NOON + number * minute, end=NOON + (number + 1) * minute) for number in range(120)]
    assert spans(merge_by_age(windows, NOON + 2 * DAY)) == {60}
    assert spans(merge_by_age(windows, NOON + DAY / 2)) == {1}


def test_alarms_are_never_merged_with_windows_that_have_none() -> None:
    alarm = (make_feature("x[0]", alarm=True), make_feature("x[1]", counts=(100, 0, 0, 0)))
    windows = [make_window(number, features=alarm) if number % 24 in (3, 4) else make_window(number) for number in range(24 * 30)]
    merged = merge_by_age(windows, NOON + 1000 * DAY)
    assert sum(window.merged for window in merged if window.drifted) == 60
    assert sum(window.requests for window in merged if window.drifted) == 600
    younger = [window for window in merge_by_age(windows, NOON + 38 * DAY) if window.drifted]
    assert max(window.end - window.start for window in younger) == datetime.timedelta(hours=2)


@pytest.mark.parametrize("years", [-30, 0, 30])
def test_however_many_wait_and_whatever_the_clock_says_their_number_is_bounded(years: int) -> None:
    windows = hours(24 * 90)
    merged = merge_by_age(windows, windows[-1].end + years * 365 * DAY, most=50)
    assert len(merged) <= 50 or years < 0
    assert sum(window.requests for window in merged) == 10 * len(windows)


def test_how_many_windows_one_was_made_of_stands_in_a_report() -> None:
    merged = merge(make_window(0), make_window(1))
    assert Window.parse(Document(json.loads(json.dumps(merged.json())), "window")) == merged
    assert "merged" not in make_window(0).json()
