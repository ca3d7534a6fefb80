"""float64 thresholds as the float32 that decides alike for every float32, and where no float32 does."""

from __future__ import annotations

from typing import Final

import numpy as np

from sealift_packager.trees.ensemble import Array, Ensemble

#: From here on float32 doesn't hold every whole number.
WHOLE_NUMBERS: Final = 2.0**24


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


def features_with_digits(ensemble: Ensemble) -> frozenset[int]:
    """The features whose values decide by digits that float32 doesn't have; none where the source rounds rows to float32 itself.

    That is so where two thresholds become one, and where whole numbers beside a threshold do.
    """
    if ensemble.narrow:
        return frozenset()
    features = np.concatenate([tree.feature for tree in ensemble.trees])
    thresholds = np.concatenate([np.asarray(tree.threshold, np.float64) for tree in ensemble.trees])
    return frozenset(int(feature) for feature in np.unique(features[features >= 0]) if _needs_digits(np.unique(thresholds[features == feature])))


def _needs_digits(thresholds: Array) -> bool:
    finite = thresholds[np.abs(thresholds) < np.finfo(np.float32).max]
    return bool((np.abs(finite) >= WHOLE_NUMBERS).any()) or len(np.unique(round_down(finite))) < len(finite)
