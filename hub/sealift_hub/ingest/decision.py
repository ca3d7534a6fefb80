"""Decides whether a report may join its device's chain.

A device numbers its reports 1, 2, 3 … and puts into each the digest of the one before. The hub keeps the head of that
chain; whatever order, repetition or loss the reports arrive with, what it holds is the longest verified prefix.
"""

from __future__ import annotations

import dataclasses
import enum

from sealift_core.bundle.digest import Digest
from sealift_core.messages.report import Report
from sealift_hub.errors import ForkError, GapError


class ChainVerdict(enum.StrEnum):
    """What becomes of a report whose signature holds."""

    ACCEPT = "accept"
    DUPLICATE = "duplicate"
    GAP = "gap"
    FORK = "fork"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest report of a device that the hub has; number 0 and no digest before the first."""

    number: int
    digest: Digest | None


def decide(head: Head, report: Report, digest: Digest, recorded: Digest | None) -> ChainVerdict:
    """Judge a report that `open_report` let through; a forged one doesn't come this far.

    ``digest`` is the one of its bytes, ``recorded`` that of the report which the hub has under the same number, if any.

    1. A number that is here already: the same bytes are a duplicate, others a fork.
    2. A number beyond the next one: a gap.
    3. The next number, with the digest of the head as ``previous``: accept.
    4. The next number after some other report: a fork.
    """
    if report.number <= head.number:  # 1
        return ChainVerdict.DUPLICATE if recorded == digest else ChainVerdict.FORK
    if report.number > head.number + 1:  # 2
        return ChainVerdict.GAP
    return ChainVerdict.ACCEPT if report.previous == head.digest else ChainVerdict.FORK  # 3, 4


def resumes(verdict: ChainVerdict, head: Head, report: Report, *, offered: int | None, sent: bool) -> bool:
    """Whether a report takes its device's chain up again, once an operator asked for that. A device offers the oldest report that it has.

    ``offered`` is the lowest number beyond a hole that the device offered before, ``sent`` whether it sends the report itself.

    1. A report beyond a hole does if it was offered before: there may be older ones.
    2. A report that contradicts the chain does: its device stands there.
    3. A report from before the head does if the device sends it: its disk was set back to there, and it refuses a receipt for more.
    """
    match verdict:
        case ChainVerdict.GAP:  # 1
            return report.number == offered
        case ChainVerdict.FORK:  # 2
            return True
        case ChainVerdict.DUPLICATE:  # 3
            return sent and report.number < head.number
        case _:
            return False


def resumption(head: Head, number: int) -> str:
    """What becomes of a chain that is taken up again at report ``number``, as a sentence for people."""
    if number > head.number + 1:
        return f"Taken up again at report {number}: {missing(head, number)}."
    if number > head.number:
        return f"Taken up again at report {number}, which doesn't continue the chain after report {head.number}."
    count = head.number - number + 1
    apart = "1 report that the hub had from there on is" if count == 1 else f"{count} reports that the hub had from there on are"
    return f"Taken up again at report {number}: {apart} kept apart."


def missing(head: Head, number: int) -> str:
    """Which reports are missing before one of this number."""
    first, last = head.number + 1, number - 1
    return f"report {first} is missing" if first == last else f"reports {first} to {last} are missing"


def gap_error(head: Head, report: Report, *, where: str) -> GapError:
    """Why a report beyond the next number is refused."""
    advice = f"Send report {head.number + 1} first. If the device no longer has it, run sealift-hub resume {report.device[:12]} at the hub."
    return GapError(
        f"report {report.number} can't be accepted yet: {missing(head, report.number)}", where=where, acknowledged=head.number, advice=advice
    )


def fork_error(head: Head, report: Report, *, where: str) -> ForkError:
    """Why a report that contradicts the chain is refused."""
    if report.number <= head.number:
        message = f"the hub already has a different report {report.number}"
    else:
        message = f"report {report.number} doesn't continue the chain after report {head.number}"
    return ForkError(
        message,
        where=where,
        advice="Two devices use the same key, or the device's disk was restored from a copy. If the device is the only one with its key, run "
        f"sealift-hub resume {report.device[:12]} at the hub. Otherwise give one of them a new key: stop the agent, remove keys/device.pem and "
        "reports.sqlite, and run sealift-agent init again.",
    )
