"""Commit, wait, or roll back: what a new version's first counts say against the previous version's. Pure.

1. If the data plane was restarted meanwhile, its counts began anew; then they are taken from zero.
2. Where both versions take the same requests, a failure or a non-finite answer counts if it is the new version's own: it happens again, and the
   previous version answers (`inference.trial`). A breach if the lower end of the interval (Wilson) of their share lies above the margin.
3. Where they can't be compared, failures that may be the model's and non-finite answers count, against the previous version's rates.
4. Time and memory are judged on requests that both versions were asked. A breach if surely more than half of them take more than
   ``latency_ratio`` times as long, or leave the process ``growth_bytes`` larger. So neither larger requests nor other processes count.
5. A breach rolls back at once; without one, the new version is committed at the deadline.

Rates are judged from ``minimum_requests`` on, pairs from ``minimum_pairs``. The verdict is asked for many times in a probation, so what decides
about pairs is an interval of four standard deviations.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Final

from sealift_runtime.inference.trial_counts import TrialCounts
from sealift_runtime.update.policy import ProbationPolicy
from sealift_runtime.update.records import Probation, ServingCounters

Z_95: Final = 1.959964
Z_PAIRS: Final = 4.0


class Decision(enum.StrEnum):
    """What to do with a version on probation."""

    COMMIT = "commit"
    WAIT = "wait"
    ROLL_BACK = "roll back"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProbationVerdict:
    """A decision with its sentence."""

    decision: Decision
    reason: str


def judge(probation: Probation, now: ServingCounters | None, time: datetime.datetime, policy: ProbationPolicy) -> ProbationVerdict:
    """The verdict at ``time``; ``now`` are the new version's counters, None when nothing serves."""
    seen = since(probation.start, now) if now else ServingCounters()
    breach = next(_breaches(seen, probation.before, policy), None)
    if breach:  # 5
        return ProbationVerdict(decision=Decision.ROLL_BACK, reason=breach)
    if time < probation.deadline:
        left = math.ceil((probation.deadline - time).total_seconds())
        return ProbationVerdict(decision=Decision.WAIT, reason=f"No breach so far in {_requests(seen)}; the probation ends in {left} s.")
    return ProbationVerdict(decision=Decision.COMMIT, reason=f"Probation passed; {_requests(seen)} {'was' if seen.requests == 1 else 'were'} served.")


def _requests(seen: ServingCounters) -> str:
    return "1 request" if seen.requests == 1 else f"{seen.requests} requests"


def since(start: ServingCounters, now: ServingCounters) -> ServingCounters:
    """What was counted after ``start``: rule 1. A trial begins with the version that it is about."""
    if now.requests < start.requests or any(a < b for a, b in zip(now.latency_counts, start.latency_counts, strict=False)):
        return now
    return ServingCounters(
        requests=now.requests - start.requests,
        failures=max(0, now.failures - start.failures),
        nonfinite=max(0, now.nonfinite - start.nonfinite),
        latency_counts=_minus(now.latency_counts, start.latency_counts),
        trial=now.trial,
    )


def _minus(counts: Sequence[int], start: Sequence[int]) -> tuple[int, ...]:
    padded = (*start, *(0,) * (len(counts) - len(start)))
    return tuple(a - b for a, b in zip(counts, padded, strict=True))


def _breaches(seen: ServingCounters, before: ServingCounters | None, policy: ProbationPolicy) -> Iterator[str]:
    """A sentence for each breach, the gravest first."""
    if seen.trial is None:
        yield from _worse_rates(seen, before or ServingCounters(), policy)  # 3
        return
    yield from _own_faults(seen, seen.trial, policy)  # 2
    if len(seen.trial.ratios) >= policy.minimum_pairs:
        yield from _heavier(seen.trial, policy)  # 4


def _own_faults(seen: ServingCounters, trial: TrialCounts, policy: ProbationPolicy) -> Iterator[str]:
    """What failed of the requests that were asked again stands for those that weren't."""
    asked = seen.requests - seen.failures + trial.failures
    failures = trial.failures_own * trial.failures // max(1, trial.failures_asked)
    nonfinite = trial.nonfinite_own * trial.nonfinite // max(1, trial.nonfinite_asked)
    previous = f"the previous version {trial.previous}"
    for count, fault in ((failures, f"failed that {previous} answers"), (nonfinite, f"gave non-finite outputs where {previous} doesn't")):
        if asked >= policy.minimum_requests and lower_bound(min(count, asked), asked) > policy.rate_margin:
            yield f"{min(count, asked)} of {asked} requests {fault}."


def _worse_rates(seen: ServingCounters, old: ServingCounters, policy: ProbationPolicy) -> Iterator[str]:
    if seen.requests < policy.minimum_requests:
        return
    for word, count, count_before in (("failed", seen.failures, old.failures), ("gave non-finite outputs", seen.nonfinite, old.nonfinite)):
        rate_before = count_before / old.requests if old.requests else 0.0
        if lower_bound(count, seen.requests) > rate_before + policy.rate_margin:
            yield f"{count} of {seen.requests} requests {word}; with the previous version it was {rate_before:.1%}."


def _heavier(trial: TrialCounts, policy: ProbationPolicy) -> Iterator[str]:
    pairs = len(trial.ratios)
    on_the_same = f"on the same requests as the previous version {trial.previous} ({pairs} compared)"
    if _mostly(sum(ratio > policy.latency_ratio for ratio in trial.ratios), pairs):
        yield f"It takes {statistics.median(trial.ratios):.3g} times as long {on_the_same}."
    if _mostly(sum(growth > policy.growth_bytes for growth in trial.growths), pairs):
        yield f"It keeps {statistics.median(trial.growths) / 1000:,.0f} kB more for each request {on_the_same}."


def _mostly(count: int, total: int) -> bool:
    """Whether surely more than half of all are like the ``count`` of ``total`` that were seen."""
    return lower_bound(count, total, Z_PAIRS) > 1 / 2


def lower_bound(count: int, total: int, z: float = Z_95) -> float:
    """The lower end of the interval of a rate, 95 % unless told (Wilson 1927); exactly 0 where nothing was counted, which rounding would miss."""
    if count == 0 or total == 0:
        return 0.0
    rate = min(1.0, count / total)
    centre = rate + z**2 / (2 * total)
    spread = z * math.sqrt(rate * (1 - rate) / total + z**2 / (4 * total**2))
    return max(0.0, (centre - spread) / (1 + z**2 / total))
