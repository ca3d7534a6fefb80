"""Latency of several sessions, measured in turns, so that what else the machine does hits all of them alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from sealift_packager.load.source import Array
from sealift_packager.measure.bootstrap import median_interval
from sealift_runtime.alternation import WARM_UP, alternate

MAX_ROUNDS: Final = 400
MIN_ROUNDS: Final = 40
#: A candidate whose speed-up may, by its interval, lie below this is slower: repeated runs of one model differ by that much.
NOT_SLOWER: Final = 0.97
#: How often a comparison that is still undecided is gone on with.
EXTENSIONS: Final = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """How many times as fast as fp32: the median of the ratios of paired runs, with its 95 % interval.

    The two runs of a pair are of one round, so what else the machine does cancels.
    """

    ratio: float
    low: float
    high: float


def measure(runs: Mapping[str, Callable[[], object]], *, seconds: float, rounds: int = MIN_ROUNDS, warm_up: int = WARM_UP) -> dict[str, Array]:
    """Milliseconds of each run by name, one sample each per round (`alternate`). ``rounds`` are made in any case."""
    samples = alternate(runs, seconds=seconds, least_rounds=rounds, most_rounds=MAX_ROUNDS, warm_up=warm_up)
    return {name: np.array(values) for name, values in samples.items()}


def speedup(reference_ms: Array, candidate_ms: Array, *, seed: int) -> Speedup:
    """Of a candidate over the reference. Pure."""
    ratios = reference_ms / candidate_ms
    low, high = median_interval(ratios, seed=seed)
    return Speedup(ratio=float(np.median(ratios)), low=low, high=high)


def undecided(reference_ms: Array, candidate_ms: Array) -> bool:
    """Whether the interval still holds `NOT_SLOWER`, so that a few more rounds might decide. Pure."""
    found = speedup(reference_ms, candidate_ms, seed=0)
    return found.low < NOT_SLOWER <= found.high


def compare(runs: Mapping[str, Callable[[], object]], *, reference: str, seconds: float) -> dict[str, Array]:
    """`measure`, gone on with while it is undecided whether some run is slower than the reference."""
    return until_decided(lambda: measure(runs, seconds=seconds), reference=reference)


def until_decided(take: Callable[[], dict[str, Array]], *, reference: str) -> dict[str, Array]:
    """Samples of paired runs, taken again, at most `EXTENSIONS` times, while one may or may not be slower than the reference."""
    samples = take()
    for _ in range(EXTENSIONS):
        if not any(undecided(samples[reference], values) for name, values in samples.items() if name != reference):
            break
        more = take()
        samples = {name: np.concatenate([values, more[name]]) for name, values in samples.items()}
    return samples
