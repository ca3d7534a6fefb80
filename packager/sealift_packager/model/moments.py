"""Mean and spread of numbers of which some, or all, may be missing. Pure."""

from __future__ import annotations

import numpy as np

from sealift_packager.model.source import Array


def mean_and_spread(values: Array, axis: int | None = 0) -> tuple[Array, Array]:
    """Without NaN, in float64; of nothing but NaN both are NaN, and nobody is warned of it."""
    numbers = values.astype(np.float64)
    present = ~np.isnan(numbers)
    counts = np.where(present.any(axis=axis), present.sum(axis=axis), np.nan)
    with np.errstate(invalid="ignore"):  # an infinity less itself is NaN
        mean = np.asarray(np.where(present, numbers, 0).sum(axis=axis) / counts)
        distances = np.where(present, numbers - mean, 0)
        return mean, np.asarray(np.sqrt(np.square(distances).sum(axis=axis) / counts))
