"""Two windows of one bundle as one: pure. Counts add up exactly; what was judged is kept from the worse of the two."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable

from sealift_core.errors import ReportError
from sealift_core.messages.report import FeatureDrift, Window

Key = tuple[str, str, str]


def key_of(window: Window) -> Key:
    """What two windows must have in common to be merged: model, version, bundle."""
    return window.model, window.version, str(window.bundle)


def merge_windows(windows: Iterable[Window]) -> list[Window]:
    """One window for each model, version and bundle, in the order in which they first came."""
    merged: dict[Key, Window] = {}
    for window in windows:
        key = key_of(window)
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
