"""What a profile wants to be small. Each objective keeps the candidates that are not worse than the best one. Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from sealift_packager.measure.bootstrap import ratio_interval
from sealift_packager.measure.figures import Figures
from sealift_packager.search.assessed import Assessed

#: Memory, size and load time within this share of the best count as equal.
BAND: Final = 0.05
#: Two sessions of one graph differ by up to this share, so less is no reason to prefer one; two runs of a build then choose alike.
NOISE: Final = 0.03
SEED: Final = 0

Filter = Callable[[Sequence[Assessed]], list[Assessed]]


def _quickest(rows: Sequence[Assessed], quantile: float) -> list[Assessed]:
    """Those whose latency isn't provably above the lowest by more than `NOISE`: the interval of the paired ratio must reach that."""
    samples = [(row, row.figures.samples_ms) for row in rows if row.figures is not None]
    if not samples:
        return list(rows)
    best_row, best = min(samples, key=lambda pair: float(np.quantile(pair[1], quantile)))
    return [row for row, values in samples if row is best_row or ratio_interval(values, best, quantile, seed=SEED)[0] <= 1 + NOISE]


def _latency_p99(rows: Sequence[Assessed]) -> list[Assessed]:
    """By the 99th percentile; where that can't tell them apart, by the median, which needs fewer samples."""
    return _quickest(_quickest(rows, 0.99), 0.5)


def _smallest_figure(value: Callable[[Figures], float], rows: Sequence[Assessed]) -> list[Assessed]:
    values = [(row, value(row.figures)) for row in rows if row.figures is not None]
    if not values:
        return list(rows)
    best = min(number for _, number in values)
    return [row for row, number in values if number <= best * (1 + BAND)]


def smallest(rows: Sequence[Assessed], band: float = 0.0) -> list[Assessed]:
    """Keep the candidates that are smallest on disk.

    Args:
        rows: The candidates; at least one.
        band: By what share of the least size a candidate may be larger.

    Returns:
        Those that are within the band, in the order of ``rows``.
    """
    best = min(row.size_bytes for row in rows)
    return [row for row in rows if row.size_bytes <= best * (1 + band)]


def _most_accurate(rows: Sequence[Assessed]) -> list[Assessed]:
    """Those whose loss isn't provably above the least: its interval must reach that one's."""
    losses = [(row, row.accuracy) for row in rows if row.accuracy is not None]
    if not losses:
        return list(rows)
    _, best = min(losses, key=lambda pair: pair[1].loss)
    return [row for row, accuracy in losses if accuracy.loss_low <= best.loss_high]


OBJECTIVES: Final[dict[str, Filter]] = {
    "latency_p50": functools.partial(_quickest, quantile=0.5),
    "latency_p99": _latency_p99,
    "memory": functools.partial(_smallest_figure, lambda figures: figures.measurement.peak_memory_bytes),
    "size": functools.partial(smallest, band=BAND),
    "accuracy": _most_accurate,
    "load_time": functools.partial(_smallest_figure, lambda figures: figures.measurement.load_time_ms),
}
#: Those that need no machine of the profile.
UNMEASURED: Final = ("size", "accuracy")
