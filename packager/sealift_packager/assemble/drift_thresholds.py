"""How far chance alone brings a window from the holdout: simulated at packaging, so a device only compares.

The simulation draws, for each replicate, what the true fractions of the bins may be, given the holdout, and then a
window from those; its distance to the holdout's counts is one draw of what no shift looks like. So it covers the
noise of the window and the finite size of the holdout (under no shift the divergence is near (bins - 1)(1/n + 1/m)/(8 ln 2)).

The true fractions are drawn from a Dirichlet distribution of the holdout's counts. For a continuous value with edges at
order statistics of the holdout that is exact, not a model: the probabilities between order statistics are
Dirichlet with the gaps between their ranks (David and Nagaraja 2003, Order Statistics, 2.5). It gives the open ends one
count each, so a new value a little out of range is no surprise, which a resample of the counts alone would never show.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final

import numpy as np

from sealift_core.drift.divergence import gamma_quantile, js_divergence
from sealift_core.drift.features import WINDOW_SIZES

Array = np.ndarray[Any, np.dtype[Any]]

#: A smaller distance isn't worth a call, however certain: about a quarter of a standard deviation, or 2 % of rows elsewhere.
EFFECT_DISTANCE: Final = 0.1
REPLICATES: Final = 400
MANY_FEATURES: Final = 64
REPLICATES_OF_MANY: Final = 100
DIGITS: Final = 6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DriftCalibration:
    """The null mean and deviation of the divergence, and the threshold of the distance, at `WINDOW_SIZES`."""

    null_means: tuple[float, ...]
    null_deviations: tuple[float, ...]
    thresholds: tuple[float, ...]


class Calibrator:
    """Calibrates features; those with the same counts share one simulation.

    ``features`` is how many there will be: many are simulated with fewer replicates each.
    """

    def __init__(self, *, seed: int, features: int, expected_windows: int) -> None:
        self._seed = seed
        self._replicates = REPLICATES if features <= MANY_FEATURES else REPLICATES_OF_MANY
        self._tail = 1.0 / expected_windows
        self._calibrations: dict[bytes, DriftCalibration] = {}

    def calibrate(self, counts: Array, prior: Array) -> DriftCalibration:
        """The calibration of one feature: ``counts [bins]`` of the holdout, ``prior [bins]`` what is added to them."""
        key = counts.astype(np.float64).tobytes() + prior.astype(np.float64).tobytes()
        if key not in self._calibrations:
            random = np.random.default_rng([self._seed, len(self._calibrations)])
            self._calibrations[key] = self._simulate(counts, counts + prior, random)
        return self._calibrations[key]

    def _simulate(self, counts: Array, weights: Array, random: np.random.Generator) -> DriftCalibration:
        used = weights > 0
        draws = random.standard_gamma(weights[used], (self._replicates, int(used.sum())))
        fractions = draws / draws.sum(axis=1, keepdims=True)
        means, deviations, thresholds = [], [], []
        for size in WINDOW_SIZES:
            divergences = js_divergence(counts[used], random.multinomial(size, fractions))
            mean = _rounded(float(divergences.mean()))
            deviation = _rounded(float(divergences.std(ddof=1)) * self._margin)
            means.append(mean)
            deviations.append(deviation)
            thresholds.append(_rounded(threshold(mean, deviation, self._tail)))
        return DriftCalibration(null_means=tuple(means), null_deviations=tuple(deviations), thresholds=tuple(thresholds))

    @property
    def _margin(self) -> float:
        """The upper 95 % bound of a deviation from this many replicates, over the deviation: no luck in the simulation."""
        return 1.0 + 1.645 / math.sqrt(2.0 * self._replicates)


def threshold(mean: float, deviation: float, tail: float) -> float:
    """The distance that no shift exceeds with more than probability ``tail``, and never less than `EFFECT_DISTANCE`."""
    return min(1.0, max(EFFECT_DISTANCE, math.sqrt(gamma_quantile(tail, mean, deviation))))


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
