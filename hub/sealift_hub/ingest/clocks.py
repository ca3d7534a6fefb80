"""How far a device's clock is off, as far as its reports show it.

A report says when it was made, by the device's clock, and the hub knows when it came. A report may have waited for weeks, so an old one alone
proves nothing; one from the future does.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Final

#: What passes for right: a report is made, sealed and sent in less.
TOLERANCE: Final = datetime.timedelta(minutes=5)
#: Reports that came closer together than this were waiting; the times between them say nothing.
APART: Final = datetime.timedelta(seconds=10)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReportTimes:
    """When a report was made, by the device's clock, when it came, by the hub's, and whether the device sent it itself."""

    created: datetime.datetime
    received: datetime.datetime
    sent: bool


def clock_offset(report: ReportTimes, before: ReportTimes | None, known: datetime.timedelta | None) -> datetime.timedelta | None:
    """Judge a device's clock by a report and the one before it.

    1. Made after it came: the clock is ahead by that, at least.
    2. Made just before it came: the clock is right.
    3. Both were sent as they were made, as far apart as they came: the clock is behind by what the newer one seems to have waited.
    4. Made before the one before it was made: the clock was set back by that, at least.
    5. Anything else says nothing new.

    Returns:
        How far it is ahead, negative for behind; None if it is right, or nothing is known.
    """
    waited = report.received - report.created
    if waited < -TOLERANCE:  # 1
        return -waited
    if waited <= TOLERANCE:  # 2
        return None
    if before is None:
        return known
    apart = report.received - before.received
    if report.sent and before.sent and apart >= APART and abs(report.created - before.created - apart) <= APART:  # 3
        return -waited
    if before.created <= before.received and before.created - report.created > TOLERANCE:  # 4
        return report.created - before.created
    return known  # 5
