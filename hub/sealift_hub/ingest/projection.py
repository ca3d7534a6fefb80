"""A report as rows of the database, and what the windows of a model's last day add up to."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from typing import Final

from sealift_core.messages.histogram import BUCKETS
from sealift_core.messages.report import Event, InstalledModel, Report, Window
from sealift_hub.storage.models import DeviceModel, StoredEvent, StoredWindow

DAY: Final = datetime.timedelta(days=1)
#: Of a model's drifted features: lists of devices name them, the device's page has all of them.
MOST_NAMES: Final = 20
#: The largest integer that a database column holds.
MOST: Final = 2**63 - 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WindowTotals:
    """What of a window goes into a day's totals."""

    end: datetime.datetime
    requests: int
    failures: int
    latency_counts: Sequence[int]


def day_before(moment: datetime.datetime) -> datetime.datetime:
    """A day earlier, or the first moment that there is (a device may have lost its clock)."""
    first = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    return moment - DAY if moment - first > DAY else first


def device_model(device_id: str, model: InstalledModel, day: Sequence[WindowTotals], drifted: Sequence[str]) -> DeviceModel:
    """An installed model with the totals of its last day, and the names of what drifted, of which `MOST_NAMES` are kept beside their number."""
    return DeviceModel(
        device_id=device_id,
        **dataclasses.asdict(model),
        until=max((window.end for window in day), default=None),
        requests=min(MOST, sum(window.requests for window in day)),
        failures=min(MOST, sum(window.failures for window in day)),
        latency_counts=add_counts(window.latency_counts for window in day),
        drifted=list(drifted[:MOST_NAMES]),
        drift_alarms=len(drifted),
    )


def add_counts(histograms: Iterable[Sequence[int]]) -> list[int]:
    """Latency histograms added up, bucket by bucket."""
    total = [0] * BUCKETS
    for counts in histograms:
        total = [left + right for left, right in zip(total, counts, strict=True)]
    return total


def window_rows(report: Report) -> list[StoredWindow]:
    """The report's windows."""
    return [_window(report, window) for window in report.windows]


def _window(report: Report, window: Window) -> StoredWindow:
    return StoredWindow(
        device_id=report.device,
        report_number=report.number,
        model=window.model,
        version=window.version,
        bundle=str(window.bundle),
        start=window.start,
        end=window.end,
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


def _fields(event: Event) -> dict[str, object]:
    return {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
