"""Intervals by the bootstrap (Efron 1979, percentile method), seeded. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from sealift_packager.model.source import Array

RESAMPLES: Final = 2000
#: Metrics that are no mean are computed anew for each resample: fewer do.
SLOW_RESAMPLES: Final = 500
LEVEL: Final = 0.95


def interval(values: Array) -> tuple[float, float]:
    """The middle 95 % of resampled values."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def mean_interval(differences: Array, *, seed: int) -> tuple[float, float]:
    """The interval of the mean of paired differences; rows are drawn with replacement."""
    if not differences.any():
        return 0.0, 0.0
    generator, rows = np.random.default_rng(seed), len(differences)
    draws = (differences[generator.integers(0, rows, rows)].mean() for _ in range(RESAMPLES))
    return interval(np.fromiter(draws, dtype=np.float64, count=RESAMPLES))


def unseen_share(rows: int) -> float:
    """The largest share of events, of which none was seen in so many rows, that 95 % confidence leaves open: 1 − 0.05^(1/rows), about 3/rows.

    Clopper and Pearson (1934), one-sided; the "rule of three". A resample of rows without an event has none either, so the bootstrap can't tell.
    """
    return float(1 - (1 - LEVEL) ** (1 / rows))


def rows_needed(share: float) -> int:
    """How many rows without an event leave open at most this share, above 0 and below 1."""
    return math.ceil(math.log(1 - LEVEL) / math.log1p(-share))


def statistic_interval(rows: int, statistic: Callable[[Array], float], *, seed: int) -> tuple[float, float]:
    """The interval of a statistic of row numbers; ``statistic`` is given the rows that were drawn."""
    generator = np.random.default_rng(seed)
    draws = (statistic(generator.integers(0, rows, rows)) for _ in range(SLOW_RESAMPLES))
    return interval(np.fromiter(draws, dtype=np.float64, count=SLOW_RESAMPLES))


def median_interval(values: Array, *, seed: int) -> tuple[float, float]:
    """The interval of the median of values [rows] or [groups, rows]."""
    return interval(np.median(values.ravel()[_grouped_draws(values, seed)], axis=1))


def ratio_interval(numerator: Array, denominator: Array, quantile: float, *, seed: int) -> tuple[float, float]:
    """The interval of the ratio of a quantile of paired samples [rows] or [groups, rows]."""
    picked = _grouped_draws(numerator, seed)
    above, below = (np.quantile(values.ravel()[picked], quantile, axis=1) for values in (numerator, denominator))
    return interval(above / below)


def _grouped_draws(values: Array, seed: int) -> Array:
    """Places [`SLOW_RESAMPLES`, draws] in the flattened values: groups are drawn with replacement, then rows within each.

    What a group's rows have in common doesn't average out over them (Davison and Hinkley 1997, section 3.8). One group less is drawn than there
    are: intervals from few groups are too narrow otherwise (Rao and Wu 1988).
    """
    groups, rows = np.atleast_2d(values).shape
    generator = np.random.default_rng(seed)
    drawn = max(1, groups - 1)
    group = generator.integers(0, groups, (SLOW_RESAMPLES, drawn, 1))
    member = generator.integers(0, rows, (SLOW_RESAMPLES, drawn, rows))
    places: Array = group * rows + member
    return places.reshape(SLOW_RESAMPLES, -1)
