"""Latency of several sessions, measured in turns, so that other work on the machine slows all of them the same.

Samples are [rounds], or [openings, rounds] where sessions were opened several times (`comparison`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from sealift_core.timing.alternation import WARM_UP, alternate
from sealift_packager.candidates.figures import Speedup
from sealift_packager.measure.bootstrap import median_interval
from sealift_packager.model.source import Array
from sealift_packager.sandbox.activity import MEASURING, during_all

MAX_ROUNDS: Final = 400
MIN_ROUNDS: Final = 40
#: A candidate whose speed-up may, by its interval, lie below this is slower.
NOT_SLOWER: Final = 0.97


def measure(
    runs: Mapping[str, Callable[[], object]], *, seconds: float, rounds: tuple[int, int] = (MIN_ROUNDS, MAX_ROUNDS), warm_up: int = WARM_UP
) -> dict[str, Array]:
    """Milliseconds [rounds] of each run by name, one sample each per round (`alternate`), for ``seconds``, but the least and most ``rounds``."""
    least, most = rounds
    with during_all(MEASURING, more_s=seconds):
        samples = alternate(runs, seconds=seconds, least_rounds=least, most_rounds=most, warm_up=warm_up)
    return {name: np.array(values) for name, values in samples.items()}


def speedup(reference_ms: Array, candidate_ms: Array, *, seed: int) -> Speedup:
    """Of a candidate over the reference. Pure."""
    ratios = reference_ms / candidate_ms
    low, high = median_interval(ratios, seed=seed)
    return Speedup(ratio=float(np.median(ratios)), low=low, high=high)


def undecided(reference_ms: Array, candidate_ms: Array) -> bool:
    """Whether the interval still holds `NOT_SLOWER`, so that a few more rounds might decide. Pure."""
    gain = speedup(reference_ms, candidate_ms, seed=0)
    return gain.low < NOT_SLOWER <= gain.high
