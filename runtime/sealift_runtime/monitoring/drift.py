"""From bin counts to a verdict per feature: how far, how surely, and whether often enough. Pure.

A feature is significant in a window if

1. its effect is worth a call: the Jensen-Shannon distance is above the threshold that the packager calibrated for a
   window of this size, or the fraction of missing or of out-of-range values is `RATE_EFFECT` above the holdout's; and
2. chance doesn't explain it: its p-value is rejected by Benjamini and Hochberg's procedure over all features of the
   window, at level 1 / expected_windows_between_false_alarms.

It is an alarm if it was significant in k of the last n windows, this one among them.

Why the stated rate holds. Without any shift, every rejection is false, so the chance that a window has any equals the
false discovery rate, which the procedure keeps under its level (Benjamini and Hochberg 1995; Benjamini and Yekutieli
2001 for positively dependent features). 1 and the k of n only take alarms away. Nothing is taken to be independent
between windows (all share one holdout), so the k of n isn't counted as a gain, though it is one. What the rate can't
cover is a window whose rows aren't as independent as the holdout's: a day of one customer is a shift, for an hour.

The p-value is the smallest of three, times three (Bonferroni): the distance's, by a gamma distribution with the
simulated mean and deviation, and those of the two rates, exact, by a beta-binomial distribution.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from sealift_core.drift.baseline import at_size
from sealift_core.drift.divergence import beta_binomial_tail, gamma_tail, js_divergence, psi
from sealift_core.drift.features import Feature
from sealift_core.messages.report import FeatureDrift

Array = np.ndarray[Any, np.dtype[Any]]

#: A rise of the missing or out-of-range values by one row in a hundred is worth a call.
RATE_EFFECT: Final = 0.01


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one window says about one feature, before the other features and windows are asked."""

    feature: Feature
    counts: Array
    distance: float
    threshold: float
    p_value: float
    large: bool

    def drift(self, *, alarm: bool) -> FeatureDrift:
        """The reading as a report has it."""
        silent = self.threshold == 1.0 and self.distance == 0.0  # too few rows: then the index would be noise
        return FeatureDrift(
            name=self.feature.name,
            counts=tuple(self.counts.tolist()),
            distance=round(self.distance, 6),
            psi=0.0 if silent else round(psi(np.array(self.feature.counts), self.counts), 6),
            threshold=round(self.threshold, 6),
            missing=round(self.feature.missing(self.counts) / max(1, int(self.counts.sum())), 6),
            alarm=alarm,
        )


def read(feature: Feature, counts: Array, *, minimum_rows: int) -> Reading:
    """Compare a window's counts with the holdout's; fewer than ``minimum_rows`` of either say nothing (p-value 1)."""
    rows = int(counts.sum())
    if rows < max(1, minimum_rows) or feature.rows == 0:
        return unread(feature, counts)
    divergence = float(js_divergence(np.array(feature.counts), counts))
    threshold = math.sqrt(at_size([value * value for value in feature.thresholds], rows))
    by_distance = gamma_tail(divergence, at_size(feature.null_means, rows), at_size(feature.null_deviations, rows))
    by_missing = _rate_p_value(feature.missing(np.array(feature.counts)), feature.rows, feature.missing(counts), rows, prior=0.5)
    by_outside = _rate_p_value(feature.outside(np.array(feature.counts)), feature.rows, feature.outside(counts), rows, prior=_outside_prior(feature))
    by_rate = min(by_missing, by_outside)
    distance = math.sqrt(divergence)
    return Reading(
        feature=feature,
        counts=counts,
        distance=distance,
        threshold=min(1.0, threshold),
        p_value=min(1.0, 3 * min(by_distance if distance > threshold else 1.0, by_rate)),
        large=distance > threshold or by_rate < 1.0,
    )


def unread(feature: Feature, counts: Array) -> Reading:
    """A window that says nothing of a feature."""
    return Reading(feature=feature, counts=counts, distance=0.0, threshold=1.0, p_value=1.0, large=False)


def _outside_prior(feature: Feature) -> float:
    """What `_rate_p_value` adds for values out of range: one for each open end, or for the values that a list of categories leaves out."""
    if feature.kind == "numeric":
        return 2.0
    return 0.5 if feature.rare is None else 1.0


def _rate_p_value(reference: int, reference_rows: int, count: int, rows: int, *, prior: float) -> float:
    """The p-value of a rate, 1 unless it is `RATE_EFFECT` above the holdout's.

    ``prior`` is added to the holdout's count: 1/2 (Jeffreys), or one for each open end of a numeric range, which for the range of
    a continuous sample is exact, or one for unknown categories that were counted on other rows than the known ones were chosen on, which bounds
    the rate as Clopper and Pearson do (1934, Biometrika 26, 404-413): never too small a p-value.
    """
    if count / rows < reference / reference_rows + RATE_EFFECT:
        return 1.0
    return beta_binomial_tail(count, rows, reference + prior, max(reference_rows - reference, 0) + 0.5)


def significant(readings: Sequence[Reading], level: float) -> tuple[bool, ...]:
    """Which readings have an effect worth a call that chance doesn't explain, all features together."""
    rejected = benjamini_hochberg([reading.p_value for reading in readings], level)
    return tuple(reading.large and sure for reading, sure in zip(readings, rejected, strict=True))


def benjamini_hochberg(p_values: Sequence[float], level: float) -> tuple[bool, ...]:
    """Which hypotheses are rejected with a false discovery rate of at most ``level``.

    Source: Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57(1), 289-300.
    """
    ordered = sorted(p_values)
    passing = [p for rank, p in enumerate(ordered, start=1) if p <= level * rank / len(ordered)]
    return tuple(bool(passing) and p <= passing[-1] for p in p_values)


class Persistence:
    """Remembers the last ``n`` windows; an alarm is a feature that was significant in ``k`` of them, the last included."""

    def __init__(self, *, k: int = 2, n: int = 3) -> None:
        self._k, self._n = k, n
        self._windows: tuple[tuple[bool, ...], ...] = ()

    @property
    def recent(self) -> tuple[tuple[bool, ...], ...]:
        """The windows that are remembered, the last one at the end."""
        return self._windows

    def resume(self, windows: tuple[tuple[bool, ...], ...]) -> None:
        """Go on from windows that were remembered."""
        self._windows = windows[-self._n :]

    def alarms(self, window: tuple[bool, ...]) -> tuple[bool, ...]:
        """The alarms if ``window`` were the next one; nothing is remembered."""
        recent = (*self._windows, window)[-self._n :]
        return tuple(now and sum(column) >= self._k for now, column in zip(window, zip(*recent, strict=True), strict=True))

    def add(self, window: tuple[bool, ...]) -> tuple[bool, ...]:
        """The alarms of the next window, which is remembered."""
        alarms = self.alarms(window)
        self._windows = (*self._windows, window)[-self._n :]
        return alarms
