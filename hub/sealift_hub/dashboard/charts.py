"""Small charts: values in, coordinates out; the templates draw them as inline SVG, whose colours are in the style sheet."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

WIDTH: Final = 240.0
HEIGHT: Final = 44.0
_LOG_LOW, _LOG_HIGH = -2.0, 5.0  # 0.01 ms to 100 s, the histogram's range


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A bar from ``start`` over ``length``, in percent of the width."""

    start: float
    length: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """An upright bar of a bar chart."""

    x: float
    y: float
    width: float
    height: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DriftBar:
    """A feature's distance and its threshold, in percent of the width."""

    length: float
    threshold: float


def latency_span(p50_ms: float | None, p99_ms: float | None) -> Span | None:
    """Median to 99th percentile on a logarithmic axis from 0.01 ms to 100 s."""
    if p50_ms is None or p99_ms is None:
        return None
    low, high = _on_log_axis(p50_ms), _on_log_axis(p99_ms)
    start = min(low, 97.0)
    return Span(start=round(start, 1), length=round(max(3.0, high - low), 1))


def _on_log_axis(milliseconds: float) -> float:
    return 100 * (math.log10(max(milliseconds, 0.01)) - _LOG_LOW) / (_LOG_HIGH - _LOG_LOW)


def bars(values: Sequence[float], slots: int) -> tuple[Bar, ...]:
    """Upright bars for up to ``slots`` values, right-aligned: the newest stands at the right edge."""
    shown = values[-slots:]
    step = WIDTH / slots
    top = max(shown, default=0.0) or 1.0
    first = slots - len(shown)
    return tuple(_bar((first + index) * step, step, value / top) for index, value in enumerate(shown))


def _bar(x: float, step: float, part: float) -> Bar:
    height = max(1.5, part * (HEIGHT - 2)) if part > 0 else 1.0
    return Bar(x=round(x, 2), y=round(HEIGHT - height, 2), width=round(step * 0.72, 2), height=round(height, 2))


def lines(series: Sequence[Sequence[float | None]], slots: int) -> tuple[str, ...]:
    """One SVG path per series, all on one logarithmic axis that fits them; a path breaks where there is no value."""
    logs = [math.log10(value) for values in series for value in values[-slots:] if value]
    low, high = min(logs, default=0.0) - 0.15, max(logs, default=0.0) + 0.15
    return tuple(_line(values[-slots:], slots, low, high) for values in series)


def _line(shown: Sequence[float | None], slots: int, low: float, high: float) -> str:
    step = WIDTH / slots
    path, pen = "", "M"
    for index, value in enumerate(shown):
        if not value:
            pen = "M"
            continue
        x = (slots - len(shown) + index + 0.36) * step
        y = 1 + (HEIGHT - 2) * (1 - (math.log10(value) - low) / (high - low))
        path += f"{pen}{x:.1f} {y:.1f}"
        pen = "L"
    return path


def drift_bar(distance: float, threshold: float) -> DriftBar:
    """A feature's bar: the axis ends at 1, the greatest distance there is, or at 0.5 where both are small."""
    top = 0.5 if max(distance, threshold) <= 0.45 else 1.0
    return DriftBar(length=round(100 * min(distance / top, 1.0), 1), threshold=round(100 * min(threshold / top, 1.0), 1))
