"""What was measured of a candidate, as values."""

from __future__ import annotations

import dataclasses

from sealift_core.bundle.evaluation import Measurement
from sealift_packager.model.source import Array


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured of one candidate: its number of threads, its graph level, and what the manifest keeps.

    ``samples_ms`` are [openings, rounds], paired with the other candidates'. ``peaks`` are the most bytes of memory that each of several processes
    took; the measurement has their median.
    """

    threads: int
    graph_optimization: str
    samples_ms: Array
    measurement: Measurement
    peaks: list[int] = dataclasses.field(default_factory=list)

    @property
    def peak_memory_bytes(self) -> list[int]:
        """Of each process; of the one that there was in locks from before there were several."""
        return self.peaks or [self.measurement.peak_memory_bytes]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """How many times as fast as fp32: the median of the ratios of paired runs, with its 95 % interval, over openings and rounds.

    The two runs of a pair are of one round, so what else the machine does cancels.
    """

    ratio: float
    low: float
    high: float
