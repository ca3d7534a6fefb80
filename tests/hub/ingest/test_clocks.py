from __future__ import annotations

import datetime

import pytest

from sealift_hub.ingest.clocks import ReportTimes, clock_offset
from support.simulated import HOUR, NOON

MINUTE = HOUR / 60
UNKNOWN = datetime.timedelta(days=3)


def times(created: datetime.timedelta, received: datetime.timedelta, *, sent: bool = True) -> ReportTimes:
    return ReportTimes(created=NOON + created, received=NOON + received, sent=sent)


NEVER = 0 * HOUR


@pytest.mark.parametrize(
    ("report", "before", "offset"),
    [
        pytest.param(times(2 * HOUR, NEVER), None, 2 * HOUR, id="made after it came"),
        pytest.param(times(2 * HOUR, NEVER, sent=False), None, 2 * HOUR, id="made after it came on a medium"),
        pytest.param(times(-MINUTE, NEVER), None, None, id="made just before it came"),
        pytest.param(times(-5 * HOUR, NEVER), None, UNKNOWN, id="an old one alone"),
        pytest.param(times(-5 * HOUR, NEVER), times(-5 * HOUR - MINUTE, -MINUTE), -5 * HOUR, id="sent as they were made"),
        pytest.param(times(-5 * HOUR, NEVER), times(-6 * HOUR, -MINUTE / 60), UNKNOWN, id="both had waited"),
        pytest.param(times(-5 * HOUR, NEVER, sent=False), times(-5 * HOUR - MINUTE, -MINUTE), UNKNOWN, id="one came by medium"),
        pytest.param(times(-5 * HOUR, NEVER), times(-HOUR, -HOUR), -4 * HOUR, id="made before the one before it"),
        pytest.param(times(-5 * HOUR, NEVER), times(90 * HOUR, -HOUR), UNKNOWN, id="the one before it was from the future"),
    ],
)
def test_what_two_reports_say_of_a_clock(report: ReportTimes, before: ReportTimes | None, offset: datetime.timedelta | None) -> None:
    assert clock_offset(report, before, UNKNOWN) == offset
