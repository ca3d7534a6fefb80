"""A report as rows of the database."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from typing import Final

from sealift_core.clock import format_time
from sealift_core.messages.health import CRASH_EVENTS
from sealift_core.messages.histogram import BUCKETS
from sealift_core.messages.report import Event, InstalledModel, Report, Window
from sealift_hub.ingest.day import Day
from sealift_hub.storage.models import DeviceModel, StoredEvent, StoredWindow

#: Of a device's crashes: a few are enough to see that they are many.
MOST_CRASHES: Final = 10
DAY: Final = datetime.timedelta(days=1)
#: Of a model's drifted features: lists of devices name them, the device's page has all of them.
MOST_NAMES: Final = 20
#: The largest integer that a database column holds.
MOST: Final = 2**63 - 1


def new_model(device_id: str, name: str) -> DeviceModel:
    """A model that the device didn't have before; `fill_model` says the rest."""
    nothing: dict[str, list[int]] = {}
    return DeviceModel(
        device_id=device_id, name=name, hours=nothing, requests=0, failures=0, latency_counts=[0] * BUCKETS, drifted=[], drift_alarms=0
    )


def fill_model(stored: DeviceModel, model: InstalledModel, day: Day | None, verdict: Verdict | None) -> None:
    """Write an installed model as a report has it; its day and its verdict stay where the report tells nothing new of them (None)."""
    for name, value in dataclasses.asdict(model).items():
        setattr(stored, name, value)
    if day is not None:
        requests, failures, *latency_counts = day.totals
        stored.until, stored.hours = day.until, {str(hour): list(sums) for hour, sums in day.hours.items()}
        stored.requests, stored.failures, stored.latency_counts = min(MOST, requests), min(MOST, failures), latency_counts
    if verdict is not None:
        stored.judged_until = verdict.end
        stored.drifted, stored.drift_alarms = list(verdict.drifted[:MOST_NAMES]), len(verdict.drifted)


def stored_day(stored: DeviceModel) -> Day | None:
    """The day of a model as it was stored; None for one of an earlier hub, which kept no hours."""
    if stored.hours is None:
        return None
    return Day(until=stored.until, hours={int(hour): sums for hour, sums in stored.hours.items()})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What drifted in a window with enough rows; ``end`` is the window's."""

    end: datetime.datetime | None
    drifted: Sequence[str]


NO_VERDICT: Final = Verdict(end=None, drifted=())


def newest_verdict(windows: Iterable[StoredWindow], before: datetime.datetime | None, until: datetime.datetime | None) -> Verdict | None:
    """The verdict of a report's newest judged window; none at all if the last one, ``before``, is of another day than ``until``; None if it stays."""
    judged = [window for window in windows if window.judged]
    if judged:
        return Verdict(end=judged[-1].end, drifted=judged[-1].drifted)
    stale = before is not None and until is not None and not datetime.timedelta() <= until - before < DAY
    return NO_VERDICT if stale else None


def window_rows(report: Report, received: datetime.datetime) -> list[StoredWindow]:
    """The report's windows, the newest last; none ends after the report was ``received``."""
    return [_window(report, window, received) for window in sorted(report.windows, key=lambda window: window.end)]


def _window(report: Report, window: Window, received: datetime.datetime) -> StoredWindow:
    return StoredWindow(
        device_id=report.device,
        report_number=report.number,
        model=window.model,
        version=window.version,
        bundle=str(window.bundle),
        start=min(window.start, received),
        end=min(window.end, received),
        requests=window.requests,
        rows=window.rows,
        failures=dict(window.failures),
        latency_counts=list(window.latency_counts),
        judged=sum(feature.threshold < 1 for feature in window.features),  # 1 is that of too few rows
        drifted=list(window.drifted),
        features=[dataclasses.asdict(feature) for feature in window.features],
    )


def event_rows(report: Report, known_events: Iterable[Event]) -> list[StoredEvent]:
    """The report's events, less those that an earlier report told word for word."""
    earlier = set(known_events)
    fresh = [event for event in report.events if event not in earlier]
    return [StoredEvent(device_id=report.device, report_number=report.number, **_fields(event)) for event in fresh]


def crash_times(report: Report, known: Sequence[str], received: datetime.datetime) -> list[str]:
    """The newest crashes that a device told of, with those of a report that came at ``received``."""
    told = [format_time(min(event.time, received)) for event in report.events if event.kind in CRASH_EVENTS]
    return [*known, *told][-MOST_CRASHES:]


def _fields(event: Event) -> dict[str, object]:
    return {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
