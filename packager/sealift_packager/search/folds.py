"""Which rows calibrate and which judge: no row's answer comes from a candidate that was calibrated on it. Pure."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from sealift_packager.model.source import Array, Arrays

ROWS: Final = 200


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Folds:
    """Row numbers. ``calibration`` sets the ranges of what ships; ``cross`` those of a second graph, which answers the calibration rows instead."""

    calibration: Array
    cross: Array


def split(rows: int, *, seed: int, request_rows: int = 1) -> Folds:
    """Two disjoint draws by the seed, of at most `ROWS` and at most half of the rows each; one row is both.

    They are whole requests of ``request_rows`` rows (a graph's fixed batch) where that leaves any.
    """
    order = np.random.default_rng([seed, rows]).permutation(rows)
    count = max(1, min(ROWS, rows // 2))
    count = count // request_rows * request_rows or count
    first, second = order[:count], order[count : 2 * count]
    return Folds(calibration=np.sort(first), cross=np.sort(second if len(second) else first))


def take(arrays: Arrays, rows: Array) -> dict[str, Array]:
    """The same rows of everything."""
    return {name: value[rows] for name, value in arrays.items()}
