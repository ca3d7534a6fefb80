"""Commit, wait, or roll back: what the counts say."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sealift_core.messages.histogram import BUCKETS, bucket
from sealift_runtime.inference.trial_counts import TrialCounts
from sealift_runtime.update.policy import ProbationPolicy
from sealift_runtime.update.probation import Decision, judge, lower_bound, since
from sealift_runtime.update.records import Probation, ServingCounters

START = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
DEADLINE = START + datetime.timedelta(seconds=600)
POLICY = ProbationPolicy()
MB = 2**20


def latencies(latency_ms: float, count: int) -> tuple[int, ...]:
    return tuple(count if index == bucket(latency_ms) else 0 for index in range(BUCKETS))


def served(requests: int, *, latency_ms: float = 1.0, **counts: Any) -> ServingCounters:
    return ServingCounters(requests=requests, latency_counts=latencies(latency_ms, requests), **counts)


def decide(now: ServingCounters | None, before: ServingCounters | None = None, *, late: bool = False) -> tuple[Decision, str]:
    probation = Probation(started=START, deadline=DEADLINE, start=ServingCounters(), before=before)
    verdict = judge(probation, now, DEADLINE if late else START, POLICY)
    return verdict.decision, verdict.reason


def test_it_waits_until_the_deadline() -> None:
    assert decide(served(100), served(100)) == (Decision.WAIT, "No breach so far in 100 requests; the probation ends in 600 s.")


def test_without_a_breach_it_commits_at_the_deadline() -> None:
    assert decide(served(100), served(100), late=True)[0] is Decision.COMMIT


def test_where_nothing_serves_it_waits_and_commits() -> None:
    assert decide(None)[0] is Decision.WAIT
    assert decide(None, late=True)[0] is Decision.COMMIT


@pytest.mark.parametrize(
    ("now", "before", "sentence"),
    [
        (served(100, failures=10), served(1000), "10 of 100 requests failed; with the previous version it was 0.0%."),
        (served(100, failures=10), None, "10 of 100 requests failed; with the previous version it was 0.0%."),
        (served(100, nonfinite=30), served(1000, nonfinite=10), "30 of 100 requests gave non-finite outputs; with the previous version it was 1.0%."),
        (
            served(100, trial=TrialCounts(previous="1.0.0", ratios=(2.0,) * 40, growths=(0,) * 40)),
            served(100),
            "It takes 2 times as long on the same requests as the previous version 1.0.0 (40 compared).",
        ),
        (
            served(100, trial=TrialCounts(previous="1.0.0", ratios=(1.0,) * 40, growths=(MB,) * 40)),
            served(100),
            "It keeps 1,049 kB more for each request on the same requests as the previous version 1.0.0 (40 compared).",
        ),
    ],
)
def test_a_breach_rolls_back_at_once_and_says_why(now: ServingCounters, before: ServingCounters | None, sentence: str) -> None:
    for late in (False, True):
        decision, reason = decide(now, before, late=late)
        assert decision is Decision.ROLL_BACK
        assert reason.startswith(sentence)


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (served(10, failures=10), served(1000)),
        (served(100, failures=10), served(1000, failures=100)),
        (served(100, failures=2), served(1000)),
        (served(100, latency_ms=100), served(100, latency_ms=1)),
        (served(100, trial=TrialCounts(previous="1.0.0", ratios=(1.2,) * 40, growths=(MB // 8,) * 40)), served(100)),
        (served(100, failures=50, trial=TrialCounts(previous="1.0.0", failures=50, failures_asked=50)), served(100)),
    ],
)
def test_what_could_be_chance_or_has_nothing_to_compare_with_is_no_breach(now: ServingCounters, before: ServingCounters | None) -> None:
    assert decide(now, before)[0] is Decision.WAIT


def test_only_what_was_counted_since_the_start_counts() -> None:
    start = served(1000, failures=500)
    probation = Probation(started=START, deadline=DEADLINE, start=start, before=None)
    assert judge(probation, served(1100, failures=500), START, POLICY).decision is Decision.WAIT


def test_counters_that_began_anew_count_from_zero() -> None:
    assert since(served(1000, failures=500), served(30, failures=20)) == served(30, failures=20)


@given(count=st.integers(0, 1000), more=st.integers(0, 1000))
@example(count=0, more=205)
def test_the_lower_bound_lies_between_zero_and_the_rate(count: int, more: int) -> None:
    total = count + more
    assert 0 <= lower_bound(count, total) <= (count / total if total else 0)


@given(count=st.integers(0, 100), total=st.integers(101, 200))
def test_more_failures_never_make_it_better(count: int, total: int) -> None:
    assert lower_bound(count, total) < lower_bound(count + 1, total)


@given(seen=st.integers(0, 500), failures=st.integers(0, 500))
def test_the_same_rates_are_never_a_breach(seen: int, failures: int) -> None:
    both = served(seen, failures=min(seen, failures))
    assert decide(both, dataclasses.replace(both))[0] is Decision.WAIT
