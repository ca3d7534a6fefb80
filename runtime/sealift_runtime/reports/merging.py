"""Two windows of one bundle as one, and the windows that wait by their age: pure.

Counts add up exactly; what was judged is kept from the worse of the two. Windows that wait for long are merged: see `RESOLUTIONS`.
Only windows with an alarm of the same features are merged with each other, so no alarm is spread over hours that had none, and
none vanishes.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Iterable
from typing import Final

from sealift_core.errors import ReportError
from sealift_core.messages.report import FeatureDrift, Window

Key = tuple[str, str, str]
#: From which age on, in seconds, windows are merged to which resolution, in seconds: hours after a day, days after eight (so that a
#: medium which comes once a week has hours), months after a hundred.
RESOLUTIONS: Final = ((86_400.0, 3_600.0), (8 * 86_400.0, 86_400.0), (100 * 86_400.0, 30 * 86_400.0))
#: Above, windows are merged as if they were older, down to one for each month.
MAX_WAITING: Final = 5_000


def key_of(window: Window) -> Key:
    """What two windows must have in common to be merged: model, version, bundle."""
    return window.model, window.version, str(window.bundle)


def merge_by_age(windows: Iterable[Window], now: datetime.datetime, most: int = MAX_WAITING) -> list[Window]:
    """Windows that wait, at the resolution of their age; at most about ``most``, by merging younger ones, too."""
    merged = sorted(windows, key=lambda window: window.start)
    for haste in (1.0, 4.0, 16.0, 64.0, 1e9):
        merged = _at_resolution(merged, now, haste)
        if len(merged) <= most:
            break
    return merged


def _at_resolution(windows: Iterable[Window], now: datetime.datetime, haste: float) -> list[Window]:
    merged: dict[object, Window] = {}
    for place, window in enumerate(windows):
        age_s = haste * (now - window.end).total_seconds()
        resolution = max((resolution for age, resolution in RESOLUTIONS if age_s >= age), default=0.0)
        fine = not resolution or (window.end - window.start).total_seconds() >= resolution
        key: object = place if fine else (key_of(window), window.drifted, resolution, window.start.timestamp() // resolution)
        merged[key] = merge(merged[key], window) if key in merged else window
    return list(merged.values())


def merge(first: Window, second: Window) -> Window:
    """Both windows as one that spans them; `ReportError` if they are of different bundles, or their bins differ."""
    if key_of(first) != key_of(second):
        raise ReportError("windows of different bundles can't be merged", expected=" ".join(key_of(first)), found=" ".join(key_of(second)))
    return dataclasses.replace(
        first,
        start=min(first.start, second.start),
        end=max(first.end, second.end),
        requests=first.requests + second.requests,
        rows=first.rows + second.rows,
        failures=dict(Counter(first.failures) + Counter(second.failures)),
        latency_counts=_sums(first.latency_counts, second.latency_counts, "latency_counts"),
        features=_features(first.features, second.features),
        merged=first.merged + second.merged,
    )


def _features(first: tuple[FeatureDrift, ...], second: tuple[FeatureDrift, ...]) -> tuple[FeatureDrift, ...]:
    others = {feature.name: feature for feature in second}
    merged = [_feature(feature, others.pop(feature.name)) if feature.name in others else feature for feature in first]
    return (*merged, *others.values())


def _feature(first: FeatureDrift, second: FeatureDrift) -> FeatureDrift:
    """Counts and the fraction of missing values are those of both; the distance and its threshold those of the worse."""
    worse = max(first, second, key=lambda feature: (feature.alarm, feature.distance - feature.threshold))
    rows, other_rows = sum(first.counts), sum(second.counts)
    missing = (first.missing * rows + second.missing * other_rows) / max(1, rows + other_rows)
    return dataclasses.replace(
        worse,
        counts=_sums(first.counts, second.counts, first.name),
        missing=round(missing, 6),
        alarm=first.alarm or second.alarm,
    )


def _sums(first: tuple[int, ...], second: tuple[int, ...], where: str) -> tuple[int, ...]:
    if len(first) != len(second):
        raise ReportError("bins differ and can't be added", where=where, expected=f"{len(first)} bins", found=str(len(second)))
    return tuple(one + other for one, other in zip(first, second, strict=True))
