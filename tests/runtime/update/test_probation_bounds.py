"""Where each bound of a probation lies, and what is said on either side of it."""

from __future__ import annotations

import datetime
import math

import pytest

from sealift_core.messages.histogram import BOUNDS_MS, BUCKETS, bucket
from sealift_runtime.update.policy import ProbationPolicy
from sealift_runtime.update.probation import Decision, ProbationVerdict, judge, lower_bound, since
from sealift_runtime.update.records import Probation, ServingCounters

START = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
DEADLINE = START + datetime.timedelta(seconds=600)
POLICY = ProbationPolicy(minimum_requests=20, rate_margin=0.01, latency_ratio=2.0, memory_ratio=1.5, memory_slack_bytes=100)
FAST, SLOW = BOUNDS_MS[4], BOUNDS_MS[12]


def counts(**by_latency: int) -> tuple[int, ...]:
    made = [0] * BUCKETS
    made[bucket(FAST)], made[bucket(SLOW)] = by_latency.get("fast", 0), by_latency.get("slow", 0)
    return tuple(made)


def served(requests: int, *, slow: int = 0, failures: int = 0, nonfinite: int = 0, memory_bytes: int = 0) -> ServingCounters:
    latency_counts = counts(fast=requests - slow, slow=slow)
    return ServingCounters(requests=requests, failures=failures, nonfinite=nonfinite, latency_counts=latency_counts, memory_bytes=memory_bytes)


def verdict(
    now: ServingCounters | None, before: ServingCounters | None = None, *, at: datetime.datetime = START, policy: ProbationPolicy = POLICY
) -> ProbationVerdict:
    return judge(Probation(started=START, deadline=DEADLINE, start=ServingCounters(), before=before), now, at, policy)


def breaches(now: ServingCounters, before: ServingCounters | None = None, *, policy: ProbationPolicy = POLICY) -> bool:
    return verdict(now, before, policy=policy).decision is Decision.ROLL_BACK


# Rule 5: when


@pytest.mark.parametrize(("seconds", "left"), [(600, 600), (1, 1), (0.2, 1), (1.5, 2)])
def test_it_waits_for_the_seconds_that_are_left_rounded_up(seconds: float, left: int) -> None:
    moment = DEADLINE - datetime.timedelta(seconds=seconds)
    assert verdict(served(2), at=moment) == ProbationVerdict(
        decision=Decision.WAIT, reason=f"No breach so far in 2 requests; the probation ends in {left} s."
    )


@pytest.mark.parametrize(("requests", "sentence"), [(0, "0 requests were"), (1, "1 request was"), (2, "2 requests were")])
def test_it_commits_at_the_very_deadline_and_says_how_much_was_served(requests: int, sentence: str) -> None:
    assert verdict(served(requests), at=DEADLINE) == ProbationVerdict(decision=Decision.COMMIT, reason=f"Probation passed; {sentence} served.")
    assert verdict(served(requests), at=DEADLINE + datetime.timedelta(days=1)).decision is Decision.COMMIT


def test_nothing_serves_means_no_requests() -> None:
    assert verdict(None, served(100), at=DEADLINE).reason == "Probation passed; 0 requests were served."


# Rule 1: what is counted


def test_only_what_came_after_the_start_is_counted_and_memory_is_as_it_is() -> None:
    start = ServingCounters(requests=10, failures=3, nonfinite=2, latency_counts=(4, 6), memory_bytes=1000)
    now = ServingCounters(requests=15, failures=5, nonfinite=3, latency_counts=(7, 8), memory_bytes=50)
    assert since(start, now) == ServingCounters(requests=5, failures=2, nonfinite=1, latency_counts=(3, 2), memory_bytes=50)


def test_failures_and_non_finite_outputs_are_never_below_zero() -> None:
    start = ServingCounters(requests=10, failures=3, nonfinite=2)
    assert since(start, ServingCounters(requests=10)) == ServingCounters()


def test_a_histogram_that_has_grown_is_counted_from_what_there_was() -> None:
    start, now = ServingCounters(requests=2, latency_counts=(2,)), ServingCounters(requests=5, latency_counts=(3, 2))
    assert since(start, now).latency_counts == (1, 2)
    assert since(ServingCounters(), now).latency_counts == (3, 2)


@pytest.mark.parametrize(
    "now",
    [
        ServingCounters(requests=9, failures=1, latency_counts=(4, 6)),
        ServingCounters(requests=12, failures=1, latency_counts=(3, 9)),
        ServingCounters(requests=12, failures=1, latency_counts=(7, 5)),
    ],
    ids=["fewer requests", "fewer fast ones", "fewer slow ones"],
)
def test_a_restart_is_known_by_any_count_that_went_down(now: ServingCounters) -> None:
    assert since(ServingCounters(requests=10, failures=0, latency_counts=(4, 6)), now) == now


def test_the_same_counts_are_no_restart() -> None:
    both = ServingCounters(requests=10, failures=5, latency_counts=(4, 6))
    assert since(both, both) == ServingCounters(latency_counts=(0, 0))


# Rule 2: rates


@pytest.mark.parametrize(("count", "total"), [(1, 1), (10, 100), (100, 100), (1, 1000), (50, 100), (3, 20)])
def test_the_lower_bound_is_the_rate_from_which_as_many_would_be_one_in_forty(count: int, total: int) -> None:
    rate, bound = count / total, lower_bound(count, total)
    deviation = math.sqrt(bound * (1 - bound) / total)
    assert math.isclose(rate - bound, 1.959964 * deviation, rel_tol=1e-9)  # Wilson's definition: the normal distribution's 97.5th percentile


def test_without_a_count_the_lower_bound_is_zero() -> None:
    assert [lower_bound(0, 0), lower_bound(0, 5), lower_bound(1, 0)] == [0.0, 0.0, 0.0]


def test_a_count_above_the_total_is_a_rate_of_one() -> None:
    assert lower_bound(7, 5) == lower_bound(5, 5)


@pytest.mark.parametrize("kind", ["failures", "nonfinite"])
def test_rates_are_judged_from_the_least_number_of_requests_on(kind: str) -> None:
    assert not breaches(served(19, **{kind: 19}))
    assert breaches(served(20, **{kind: 20}))


@pytest.mark.parametrize("kind", ["failures", "nonfinite"])
def test_a_rate_breaches_if_its_lower_bound_is_more_than_the_margin_above_the_rate_before(kind: str) -> None:
    margin = lower_bound(10, 100) - 0.02
    now, before = served(100, **{kind: 10}), served(1000, **{kind: 20})
    assert breaches(now, before, policy=ProbationPolicy(minimum_requests=20, rate_margin=margin - 1e-6))
    assert not breaches(now, before, policy=ProbationPolicy(minimum_requests=20, rate_margin=margin + 1e-6))


def test_a_rate_that_is_the_margin_above_is_no_breach() -> None:
    assert not breaches(served(100, failures=10), None, policy=ProbationPolicy(minimum_requests=20, rate_margin=lower_bound(10, 100)))


def test_a_previous_version_that_served_little_still_has_its_rate() -> None:
    assert not breaches(served(100, failures=10), served(1, failures=1))
    assert breaches(served(100, failures=10), served(1))


def test_of_several_breaches_the_gravest_is_told() -> None:
    before = served(100, memory_bytes=100)
    everything = served(100, failures=50, nonfinite=60, slow=100, memory_bytes=10**9)
    assert verdict(everything, before).reason == "50 of 100 requests failed; with the previous version it was 0.0%."
    assert verdict(served(100, nonfinite=60, slow=100, memory_bytes=10**9), before).reason == (
        "60 of 100 requests gave non-finite outputs; with the previous version it was 0.0%."
    )
    assert verdict(served(100, slow=100, memory_bytes=10**9), before).reason == (
        f"Its p50 latency is up to {SLOW} ms; the previous version's was up to {FAST} ms."
    )


# Rule 3: latency


def test_latency_is_judged_once_both_versions_have_served_enough() -> None:
    assert breaches(served(20, slow=20), served(20))
    assert not breaches(served(19, slow=19), served(20))
    assert not breaches(served(20, slow=20), served(19))


def test_the_tail_is_judged_from_five_times_as_many_requests_on() -> None:
    assert verdict(served(100, slow=5), served(100)).reason == f"Its p99 latency is up to {SLOW} ms; the previous version's was up to {FAST} ms."
    assert not breaches(served(99, slow=5), served(100))


def test_half_of_the_requests_decide_about_p50_and_a_hundredth_about_p99() -> None:
    assert breaches(served(40, slow=21), served(40))
    assert not breaches(served(40, slow=20), served(40))
    assert not breaches(served(200, slow=2), served(200))
    assert breaches(served(200, slow=3), served(200))


def test_a_latency_of_the_very_ratio_is_no_breach() -> None:
    at = ProbationPolicy(minimum_requests=20, latency_ratio=SLOW / FAST)
    assert not breaches(served(20, slow=20), served(20), policy=at)
    assert breaches(served(20, slow=20), served(20), policy=ProbationPolicy(minimum_requests=20, latency_ratio=SLOW / FAST * 0.999))


def test_versions_without_latencies_are_not_compared_by_them() -> None:
    assert not breaches(ServingCounters(requests=50), served(50))
    assert not breaches(served(50, slow=50), ServingCounters(requests=50))


# Rule 4: memory


def test_memory_breaches_above_the_ratio_and_the_slack() -> None:
    assert not breaches(served(0, memory_bytes=1600), served(0, memory_bytes=1000))
    assert verdict(served(0, memory_bytes=1601), served(0, memory_bytes=1000)).reason == (
        "It uses 1601 bytes of memory; the previous version used 1000."
    )


def test_memory_has_nothing_to_be_compared_with_where_none_was_measured() -> None:
    assert not breaches(served(0, memory_bytes=10**9), served(0))
    assert breaches(served(0, memory_bytes=10**9), served(0, memory_bytes=1))
