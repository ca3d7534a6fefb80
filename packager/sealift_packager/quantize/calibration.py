"""What a quantizer knows of the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from sealift_packager.graph.session import fill
from sealift_packager.model.source import Array, Arrays
from sealift_packager.quantize.ranges import Histogram


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What calibration rows showed: of every tensor its histogram, of every MatMul's input the largest magnitude by channel; and how many they were.

    Empty where it isn't needed.
    """

    histograms: Mapping[str, Histogram] = dataclasses.field(default_factory=dict)
    maxima: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    rows: int = 0


def requests(arrays: Arrays, size: int) -> Iterator[dict[str, Array]]:
    """Split rows into requests of ``size`` rows each: 1, or the graph's fixed batch. Fewer rows fill up one request; a remainder is dropped."""
    arrays = fill(arrays, size)
    total = len(next(iter(arrays.values())))
    for at in range(0, total - size + 1, size):
        yield {name: value[at : at + size] for name, value in arrays.items()}
