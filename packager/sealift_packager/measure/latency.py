"""Latency of several sessions, measured in turns, so that what else the machine does hits all of them alike."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from sealift_packager.load.source import Array
from sealift_packager.measure.bootstrap import ratio_interval

WARM_UP: Final = 5
MAX_ROUNDS: Final = 400
MIN_ROUNDS: Final = 40


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """How many times as fast as fp32: the ratio of the medians of paired runs, with its 95 % interval."""

    ratio: float
    low: float
    high: float


def measure(runs: Mapping[str, Callable[[], object]], *, seconds: float) -> dict[str, Array]:
    """Milliseconds of each run by name, one sample each per round; every other round goes backwards."""
    for run in runs.values():
        for _ in range(WARM_UP):
            run()
    names = list(runs)
    samples: dict[str, list[float]] = {name: [] for name in names}
    end = time.perf_counter() + seconds
    for number in range(MAX_ROUNDS):
        if number >= MIN_ROUNDS and time.perf_counter() > end:
            break
        for name in names if number % 2 == 0 else reversed(names):
            start = time.perf_counter_ns()
            runs[name]()
            samples[name].append((time.perf_counter_ns() - start) / 1e6)
    return {name: np.array(values) for name, values in samples.items()}


def speedup(reference_ms: Array, candidate_ms: Array, *, seed: int) -> Speedup:
    """Of a candidate over the reference. Pure."""
    low, high = ratio_interval(reference_ms, candidate_ms, 0.5, seed=seed)
    return Speedup(ratio=float(np.median(reference_ms) / np.median(candidate_ms)), low=low, high=high)
