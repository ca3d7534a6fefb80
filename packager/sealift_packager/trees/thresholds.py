"""float64 thresholds as the float32 that decides alike for every float32."""

from __future__ import annotations

import numpy as np

from sealift_packager.trees.ensemble import Array


def round_down(thresholds: Array) -> Array:
    """The largest float32 that is not above each threshold: x <= t decides alike for every float32 x."""
    exact = np.asarray(thresholds, np.float64)
    with np.errstate(over="ignore", under="ignore"):
        near = exact.astype(np.float32)
        lower: Array = np.where(near.astype(np.float64) > exact, np.nextafter(near, np.float32(-np.inf)), near)
    return lower


def before(thresholds: Array) -> Array:
    """The largest float32 below each threshold (finite or above): x up to it decides as x < t does."""
    exact = np.asarray(thresholds, np.float64)
    with np.errstate(over="ignore", under="ignore"):
        near = exact.astype(np.float32)
        lower: Array = np.where(near.astype(np.float64) >= exact, np.nextafter(near, np.float32(-np.inf)), near)
    return lower


def after(values: Array) -> Array:
    """The next float32 above each value."""
    with np.errstate(over="ignore", under="ignore"):
        upper: Array = np.nextafter(np.asarray(values, np.float32), np.float32(np.inf))
    return upper
