from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.errors import SealiftError
from sealift_hub.api.problems import STATUS, status_of
from sealift_hub.dashboard import charts, formatting
from sealift_hub.errors import HubError
from support.simulated import NOON

MINUTE = datetime.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0, "just now"),
        (1, "1 minute ago"),
        (59, "59 minutes ago"),
        (60, "1 hour ago"),
        (60 * 47, "1 day ago"),
        (60 * 24 * 8, "1 week ago"),
        (60 * 24 * 20, "2 weeks ago"),
        (60 * 24 * 40, "2026-04-22"),
        (-10, "2026-06-01 12:10 UTC"),
    ],
)
def test_times_read_as_people_say_them(minutes: int, text: str) -> None:
    assert formatting.ago(NOON - minutes * MINUTE, NOON) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.01, "10 µs"), (0.562341, "562 µs"), (1.0, "1 ms"), (17.782794, "17.8 ms"), (1778.3, "1.78 s"), (1e5, "100 s")]
)
def test_latencies_have_three_digits_and_a_fitting_unit(value: float | None, text: str) -> None:
    assert formatting.latency(value) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (999, "999"), (12_345, "12\u2009345"), (1_234_567, "1.23 M"), (2**63, "9.22e+06 T")])
def test_counts_are_short(number: int, text: str) -> None:
    assert formatting.count(number) == text


@given(st.lists(st.integers(0, 2**63 - 1), max_size=80))
def test_bars_stay_in_their_frame(values: list[int]) -> None:
    bars = charts.bars(values, 48)
    assert len(bars) == min(48, len(values))
    assert all(bar.x >= 0 and bar.x + bar.width <= charts.WIDTH + 0.01 and 0 <= bar.y <= charts.HEIGHT for bar in bars)


@given(st.lists(st.one_of(st.none(), st.floats(0.01, 1e5)), max_size=80))
def test_a_line_has_one_point_per_value_and_breaks_at_gaps(values: list[float | None]) -> None:
    path, upper = charts.lines([values, [value and value * 2 for value in values]], 48)
    shown = values[-48:]
    assert path.count("M") + path.count("L") == sum(value is not None for value in shown) == upper.count("M") + upper.count("L")
    assert "nan" not in path + upper


@given(st.floats(0, 1), st.floats(0, 10))
def test_a_drift_bar_stays_in_its_frame(distance: float, threshold: float) -> None:
    bar = charts.drift_bar(distance, threshold)
    assert 0 <= bar.length <= 100
    assert 0 <= bar.threshold <= 100


@given(st.floats(0.01, 1e5), st.floats(0.01, 1e5))
def test_a_latency_span_stays_in_its_frame(first: float, second: float) -> None:
    span = charts.latency_span(min(first, second), max(first, second))
    assert span is not None
    assert 0 <= span.start <= 97
    assert span.start + span.length <= 100.2


def _all_errors(error_class: type[SealiftError]) -> list[type[SealiftError]]:
    return [error_class, *(below for child in error_class.__subclasses__() for below in _all_errors(child))]


def test_every_error_has_a_status_and_no_error_hides_behind_a_wider_one() -> None:
    error_classes = [error_class for error_class, _ in STATUS]
    assert error_classes[-1] is SealiftError, "so every error has one"
    for index, error_class in enumerate(error_classes):
        assert not any(issubclass(later, error_class) for later in error_classes[index + 1 :])
    assert status_of(HubError("x")) == 400
    assert all(issubclass(error_class, HubError) for error_class in _all_errors(HubError))
