"""What a profile wants to be small. Each objective keeps the candidates that are not worse than the best one. Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from sealift_packager.candidates.figures import Figures
from sealift_packager.candidates.result import CandidateResult
from sealift_packager.measure.bootstrap import ratio_interval

#: Memory, size and load time within this share of the best count as equal.
BAND: Final = 0.05
#: Two sessions of one graph differ by up to this share, so less is no reason to prefer one; two runs of a build then choose alike.
NOISE: Final = 0.03
SEED: Final = 0

Filter = Callable[[Sequence[CandidateResult]], list[CandidateResult]]


def _quickest(results: Sequence[CandidateResult], quantile: float) -> list[CandidateResult]:
    """Those whose latency isn't provably above the lowest by more than `NOISE`: the interval of the paired ratio must reach that."""
    samples = [(result, result.figures.samples_ms) for result in results if result.figures is not None]
    if not samples:
        return list(results)
    quickest, best = min(samples, key=lambda pair: float(np.quantile(pair[1], quantile)))
    return [result for result, values in samples if result is quickest or ratio_interval(values, best, quantile, seed=SEED)[0] <= 1 + NOISE]


def _smallest_figure(value: Callable[[Figures], float], results: Sequence[CandidateResult]) -> list[CandidateResult]:
    values = [(result, value(result.figures)) for result in results if result.figures is not None]
    if not values:
        return list(results)
    best = min(number for _, number in values)
    return [result for result, number in values if number <= best * (1 + BAND)]


def _least_memory(results: Sequence[CandidateResult]) -> list[CandidateResult]:
    """Those whose least peak isn't above the greatest one of the best by more than `BAND`: both were measured several times."""
    peaks = [(result, result.figures.peak_memory_bytes) for result in results if result.figures is not None]
    if not peaks:
        return list(results)
    _, best = min(peaks, key=lambda pair: float(np.median(pair[1])))
    return [result for result, values in peaks if min(values) <= max(best) * (1 + BAND)]


def smallest(results: Sequence[CandidateResult], band: float = 0.0) -> list[CandidateResult]:
    """Keep the candidates that are smallest on disk.

    Args:
        results: The candidates; at least one.
        band: By what share of the least size a candidate may be larger.

    Returns:
        Those that are within the band, in the order of ``results``.
    """
    best = min(result.size_bytes for result in results)
    return [result for result in results if result.size_bytes <= best * (1 + band)]


def _most_accurate(results: Sequence[CandidateResult]) -> list[CandidateResult]:
    """Those whose loss isn't provably above the least: its interval must reach that one's."""
    losses = [(result, result.accuracy) for result in results if result.accuracy is not None]
    if not losses:
        return list(results)
    _, best = min(losses, key=lambda pair: pair[1].loss)
    return [result for result, accuracy in losses if accuracy.loss_low <= best.loss_high]


OBJECTIVES: Final[dict[str, Filter]] = {
    "latency_p50": functools.partial(_quickest, quantile=0.5),
    "latency_p99": functools.partial(_quickest, quantile=0.99),
    "memory": _least_memory,
    "size": functools.partial(smallest, band=BAND),
    "accuracy": _most_accurate,
    "load_time": functools.partial(_smallest_figure, lambda figures: figures.measurement.load_time_ms),
}
#: What decides where an objective can't tell candidates apart, before the next one: the median needs fewer samples than the 99th percentile.
FINER: Final = {"latency_p99": "latency_p50"}
#: Each objective's figure as tables show it, and its unit there; the smallest is the best.
SHOWN: Final[dict[str, tuple[Callable[[CandidateResult], float | None], str]]] = {
    "latency_p50": (lambda result: result.figures.measurement.latency_p50_ms if result.figures else None, "ms"),
    "latency_p99": (lambda result: result.figures.measurement.latency_p99_ms if result.figures else None, "ms"),
    "memory": (lambda result: result.figures.measurement.peak_memory_bytes / 2**20 if result.figures else None, "MB"),
    "size": (lambda result: result.size_bytes / 1000, "kB"),
    "accuracy": (lambda result: result.accuracy.loss if result.accuracy else None, "lost"),
    "load_time": (lambda result: result.figures.measurement.load_time_ms if result.figures else None, "ms"),
}
#: Those that need no machine of the profile.
UNMEASURED: Final = ("size", "accuracy")
