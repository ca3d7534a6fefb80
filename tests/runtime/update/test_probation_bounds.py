"""Where each bound of a probation lies, and what is said on either side of it."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest

from sealift_core.messages.histogram import BOUNDS_MS, BUCKETS, bucket
from sealift_runtime.inference.trial_counts import TrialCounts
from sealift_runtime.update.policy import ProbationPolicy
from sealift_runtime.update.probation import Decision, ProbationVerdict, judge, lower_bound, since
from sealift_runtime.update.records import Probation, ServingCounters

START = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
DEADLINE = START + datetime.timedelta(seconds=600)
POLICY = ProbationPolicy(minimum_requests=20, rate_margin=0.01, minimum_pairs=20, latency_ratio=1.5, growth_bytes=1000)
FAST, SLOW = BOUNDS_MS[4], BOUNDS_MS[12]


def counts(**by_latency: int) -> tuple[int, ...]:
    made = [0] * BUCKETS
    made[bucket(FAST)], made[bucket(SLOW)] = by_latency.get("fast", 0), by_latency.get("slow", 0)
    return tuple(made)


def served(requests: int, *, slow: int = 0, **more: Any) -> ServingCounters:
    return ServingCounters(requests=requests, latency_counts=counts(fast=requests - slow, slow=slow), **more)


def compared(**found: Any) -> TrialCounts:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    return TrialCounts(previous="1.0.0", **values)


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


def test_only_what_came_after_the_start_is_counted_and_the_trial_is_as_it_is() -> None:
    trial = compared(failures=2)
    start = ServingCounters(requests=10, failures=3, nonfinite=2, latency_counts=(4, 6))
    now = ServingCounters(requests=15, failures=5, nonfinite=3, latency_counts=(7, 8), trial=trial)
    assert since(start, now) == ServingCounters(requests=5, failures=2, nonfinite=1, latency_counts=(3, 2), trial=trial)


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


# Rule 3: rates


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
    both = {"failures": 50, "failures_asked": 50, "failures_own": 50, "nonfinite": 60, "nonfinite_asked": 60, "nonfinite_own": 60}
    slow: dict[str, Any] = {"ratios": [3.0] * 20, "growths": [10**6] * 20}
    assert verdict(served(100, failures=50, trial=compared(**both, **slow))).reason == (
        "50 of 100 requests failed that the previous version 1.0.0 answers."
    )
    nonfinite = {name: count for name, count in both.items() if name.startswith("nonfinite")}
    assert verdict(served(100, trial=compared(**nonfinite, **slow))).reason == (
        "60 of 100 requests gave non-finite outputs where the previous version 1.0.0 doesn't."
    )
    assert verdict(served(100, trial=compared(**slow))).reason == (
        "It takes 3 times as long on the same requests as the previous version 1.0.0 (20 compared)."
    )
    assert verdict(served(100, trial=compared(ratios=[1.0] * 20, growths=[10**6] * 20))).reason == (
        "It keeps 1,000 kB more for each request on the same requests as the previous version 1.0.0 (20 compared)."
    )


# Rule 2: what is the new version's own


@pytest.mark.parametrize("kind", ["failures", "nonfinite"])
def test_where_versions_are_compared_only_what_the_previous_one_answers_counts(kind: str) -> None:
    def seen(own: int) -> ServingCounters:
        return served(100, **{kind: 50}, trial=compared(**{kind: 50, f"{kind}_asked": 50, f"{kind}_own": own}))

    assert not breaches(seen(0), served(100))
    assert breaches(seen(50))


@pytest.mark.parametrize("kind", ["failures", "nonfinite"])
def test_what_could_not_be_asked_again_is_like_what_was(kind: str) -> None:
    few = {kind: 40, f"{kind}_asked": 10, f"{kind}_own": 5}
    assert verdict(served(100, failures=few.get("failures", 0), trial=compared(**few))).reason.startswith("20 of 100 requests")
    assert not breaches(served(100, trial=compared(**{kind: 40})))


def test_requests_that_the_graph_refuses_are_counted_among_those_that_were_asked() -> None:
    refused = {"failures": 20, "failures_asked": 20, "failures_own": 20}
    assert verdict(served(0, trial=compared(**refused))).reason == "20 of 20 requests failed that the previous version 1.0.0 answers."
    fewer = {"failures": 19, "failures_asked": 19, "failures_own": 19}
    assert not breaches(served(0, trial=compared(**fewer)))


@pytest.mark.parametrize("kind", ["failures", "nonfinite"])
def test_an_own_rate_breaches_if_its_lower_bound_is_above_the_margin(kind: str) -> None:
    seen = served(100, failures=10 if kind == "failures" else 0, trial=compared(**{kind: 10, f"{kind}_asked": 10, f"{kind}_own": 10}))
    assert not breaches(seen, policy=ProbationPolicy(minimum_requests=20, rate_margin=lower_bound(10, 100)))
    assert breaches(seen, policy=ProbationPolicy(minimum_requests=20, rate_margin=lower_bound(10, 100) - 1e-9))


# Rule 4: time and memory


def test_pairs_are_judged_from_the_least_number_on() -> None:
    assert not breaches(served(100, trial=compared(ratios=[9.0] * 19, growths=[10**6] * 19)))
    assert breaches(served(100, trial=compared(ratios=[9.0] * 20, growths=[0] * 20)))
    assert breaches(served(100, trial=compared(ratios=[1.0] * 20, growths=[10**6] * 20)))


def test_a_ratio_or_growth_of_the_very_limit_is_no_breach() -> None:
    assert not breaches(served(100, trial=compared(ratios=[1.5] * 50, growths=[1000] * 50)))
    assert breaches(served(100, trial=compared(ratios=[1.501] * 50, growths=[0] * 50)))
    assert breaches(served(100, trial=compared(ratios=[1.0] * 50, growths=[1001] * 50)))


@pytest.mark.parametrize(("slow", "breach"), [(100, True), (71, True), (68, False), (50, False), (0, False)])
def test_surely_more_than_half_of_the_pairs_must_be_slower_or_larger(slow: int, breach: bool) -> None:
    ratios, growths = [2.0] * slow + [1.0] * (100 - slow), [5000] * slow + [0] * (100 - slow)
    assert breaches(served(100, trial=compared(ratios=ratios, growths=[0] * 100))) is breach
    assert breaches(served(100, trial=compared(ratios=[1.0] * 100, growths=growths))) is breach


@pytest.mark.parametrize("kind", ["failures", "nonfinite"])
def test_one_request_that_was_asked_again_stands_for_all(kind: str) -> None:
    one = {kind: 40, f"{kind}_asked": 1, f"{kind}_own": 1}
    requests = {"failures": 40} if kind == "failures" else {}
    assert verdict(served(100, **requests, trial=compared(**one))).reason.startswith("40 of 100 requests")


def test_how_long_requests_took_and_how_many_came_decides_nothing() -> None:
    assert not breaches(served(1000, slow=1000), served(1000))
    assert not breaches(served(1000, slow=1000, trial=compared(ratios=[1.0] * 300, growths=[0] * 300)), served(1000))
