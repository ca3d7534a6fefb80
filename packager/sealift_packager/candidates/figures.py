"""What was measured of a candidate, as values."""

from __future__ import annotations

import dataclasses

from sealift_core.bundle.evaluation import Measurement
from sealift_packager.model.source import Array


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured of one candidate: its number of threads, its graph level, and what the manifest keeps.

    ``samples_ms`` are [openings, rounds], paired with the other candidates'.
    """

    threads: int
    graph_optimization: str
    samples_ms: Array
    measurement: Measurement


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """How many times as fast as fp32: the median of the ratios of paired runs, with its 95 % interval, over openings and rounds.

    The two runs of a pair are of one round, so what else the machine does cancels.
    """

    ratio: float
    low: float
    high: float
