"""Baselines made without the packager: decile edges, and thresholds from the theory of the divergence instead of a simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sealift_core.drift.baseline import Baseline
from sealift_core.drift.divergence import gamma_quantile
from sealift_core.drift.features import WINDOW_SIZES, Feature, count_categories, count_numbers

Array = np.ndarray[Any, np.dtype[Any]]
EFFECT = 0.1


def numeric_feature(name: str, tensor: str, values: Array, *, index: int = 0, statistic: str = "column", expected_windows: int = 2160) -> Feature:
    """A numeric feature whose holdout is ``values``."""
    finite = np.sort(values[np.isfinite(values)].astype(np.float64))
    edges = tuple(sorted({*np.quantile(finite, np.linspace(0, 0.9, 10)).tolist(), float(np.nextafter(finite[-1], np.inf))}))
    counts = count_numbers(values, edges)
    return Feature(
        name=name,
        side="input",
        tensor=tensor,
        statistic=statistic,
        index=index,
        kind="numeric",
        edges=edges,
        counts=tuple(counts.tolist()),
        **_null(len(edges) + 1, int(counts.sum()), expected_windows),
    )


def category_feature(
    name: str, tensor: str, values: Array, *, side: str = "input", statistic: str = "value", expected_windows: int = 2160
) -> Feature:
    """A category feature whose holdout is ``values``."""
    categories = tuple(sorted({str(value) for value in values.tolist()}))
    counts = count_categories(values, categories)
    return Feature(
        name=name,
        side=side,
        tensor=tensor,
        statistic=statistic,
        kind="category",
        categories=categories,
        counts=tuple(counts.tolist()),
        **_null(len(categories) + 1, int(counts.sum()), expected_windows),
    )


def column_baseline(values: Array, *, tensor: str = "x", expected_windows: int = 2160) -> Baseline:
    """A baseline that watches each column of ``values [rows, columns]``."""
    features = [
        numeric_feature(f"{tensor}[{index}]", tensor, values[:, index], index=index, expected_windows=expected_windows)
        for index in range(values.shape[1])
    ]
    return baseline_of(features, rows=len(values), expected_windows=expected_windows)


def baseline_of(features: Sequence[Feature], *, rows: int, expected_windows: int = 2160) -> Baseline:
    """A baseline of these features."""
    return Baseline(rows=rows, features=tuple(features), expected_windows_between_false_alarms=expected_windows)


def _null(bins: int, rows: int, expected_windows: int) -> dict[str, Any]:
    degrees = bins - 1
    means = [degrees * (1 / size + 1 / rows) / (8 * math.log(2)) for size in WINDOW_SIZES]
    deviations = [mean * math.sqrt(2 / degrees) for mean in means]
    pairs = zip(means, deviations, strict=True)
    thresholds = [min(1.0, max(EFFECT, math.sqrt(gamma_quantile(1 / expected_windows, mean, deviation)))) for mean, deviation in pairs]
    return {"null_means": tuple(means), "null_deviations": tuple(deviations), "thresholds": tuple(thresholds)}
