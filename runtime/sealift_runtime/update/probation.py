"""Commit, wait, or roll back: what a new version's first counts say against the previous version's. Pure.

1. If the data plane was restarted meanwhile, its counts began anew; then they are taken from zero.
2. Rates of failures and of non-finite outputs: a breach if the lower end of the 95 % Wilson interval lies more than
   the margin above the previous version's rate. Judged from ``minimum_requests`` on.
3. Latency: a breach if p50, or from five times ``minimum_requests`` on p99, is more than ``latency_ratio`` times the
   previous version's, which must have served ``minimum_requests``, too.
4. Memory: a breach above ``memory_ratio`` times the previous version's plus the slack.
5. A breach rolls back at once; without one, the new version is committed at the deadline.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
from collections.abc import Iterator, Sequence
from typing import Final

from sealift_core.messages.histogram import quantile_ms
from sealift_runtime.update.policy import ProbationPolicy
from sealift_runtime.update.records import Probation, ServingCounters

Z_95: Final = 1.959964
P99_FACTOR: Final = 5


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
    """What was counted after ``start``: rule 1. Memory is as it is now."""
    if now.requests < start.requests or any(a < b for a, b in zip(now.latency_counts, start.latency_counts, strict=False)):
        return now
    return ServingCounters(
        requests=now.requests - start.requests,
        failures=max(0, now.failures - start.failures),
        nonfinite=max(0, now.nonfinite - start.nonfinite),
        latency_counts=_minus(now.latency_counts, start.latency_counts),
        memory_bytes=now.memory_bytes,
    )


def _minus(counts: Sequence[int], start: Sequence[int]) -> tuple[int, ...]:
    padded = (*start, *(0,) * (len(counts) - len(start)))
    return tuple(a - b for a, b in zip(counts, padded, strict=True))


def _breaches(seen: ServingCounters, before: ServingCounters | None, policy: ProbationPolicy) -> Iterator[str]:
    """A sentence for each breach, the gravest first."""
    old = before or ServingCounters()
    if seen.requests >= policy.minimum_requests:
        for word, count, count_before in (("failed", seen.failures, old.failures), ("gave non-finite outputs", seen.nonfinite, old.nonfinite)):
            rate_before = count_before / old.requests if old.requests else 0.0
            if lower_bound(count, seen.requests) > rate_before + policy.rate_margin:  # 2
                yield f"{count} of {seen.requests} requests {word}; with the previous version it was {rate_before:.1%}."
        if old.requests >= policy.minimum_requests:
            yield from _slower(seen, old, policy)  # 3
    limit = policy.memory_ratio * old.memory_bytes + policy.memory_slack_bytes
    if old.memory_bytes and seen.memory_bytes > limit:  # 4
        yield f"It uses {seen.memory_bytes} bytes of memory; the previous version used {old.memory_bytes}."


def _slower(seen: ServingCounters, old: ServingCounters, policy: ProbationPolicy) -> Iterator[str]:
    fractions = (0.5, 0.99) if seen.requests >= P99_FACTOR * policy.minimum_requests else (0.5,)
    for fraction in fractions:
        new_ms, old_ms = quantile_ms(seen.latency_counts, fraction), quantile_ms(old.latency_counts, fraction)
        if new_ms is not None and old_ms is not None and new_ms > policy.latency_ratio * old_ms:
            yield f"Its p{fraction * 100:.0f} latency is up to {new_ms} ms; the previous version's was up to {old_ms} ms."


def lower_bound(count: int, total: int) -> float:
    """The lower end of the 95 % interval of a rate (Wilson 1927); exactly 0 where nothing was counted, which rounding would miss."""
    if count == 0 or total == 0:
        return 0.0
    rate = min(1.0, count / total)
    centre = rate + Z_95**2 / (2 * total)
    spread = Z_95 * math.sqrt(rate * (1 - rate) / total + Z_95**2 / (4 * total**2))
    return max(0.0, (centre - spread) / (1 + Z_95**2 / total))
