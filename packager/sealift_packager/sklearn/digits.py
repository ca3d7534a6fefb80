"""Which columns a scikit-learn model compares or subtracts by digits that float32 doesn't have, as far as its first steps show it. Pure.

And which come to trees in float64: the value of a training row may be a threshold there, and one that is rounded before may lie on its other side.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from sealift_packager.model.categories import ADDED, CHOICES, IMPUTERS, first_steps_by_column
from sealift_packager.model.source import Array
from sealift_packager.model.table_steps import is_table_step
from sealift_packager.trees.from_estimator import read_estimator
from sealift_packager.trees.thresholds import WHOLE_NUMBERS
from sealift_packager.trees.within import fitted_parts, is_trees

#: A scaled value may be off by so much.
_RESOLUTION: Final = 1e-4
#: Fitted attributes [columns]: what is taken from a column, and what that is divided by.
SCALED: Final = (("mean_", "scale_"), ("center_", "scale_"), ("data_min_", "data_range_"))
#: Fitted attributes [points, columns] that values are compared with or subtracted from.
POINTS: Final = ("quantiles_", "means_", "theta_", "centroids_", "cluster_centers_", "_fit_X", "X_train_", "X_fit_", "support_vectors_")


def columns_with_digits(model: Any, names: Sequence[str]) -> frozenset[int]:
    """The numbers of the columns that need float64.

    These are columns with categories that float32 doesn't tell apart, with limits that it can't hold, and those that a scaler moves, or that points
    of the model lie away from zero, by much more than they vary.
    """
    columns = range(int(getattr(model, "n_features_in_", 0)))
    needed = (column for step, taken in first_steps_by_column(model, list(names), list(columns)) for column in _needed(step, taken))
    return frozenset(column for column in needed if column != ADDED)


def columns_before_trees(model: Any, names: Sequence[str]) -> frozenset[int]:
    """The numbers of the columns that trees within a model are given as float64, or as what a step before them computes of them in float64."""
    if is_trees(model) or not any(map(is_trees, fitted_parts(model))):
        return frozenset()
    columns = list(range(int(getattr(model, "n_features_in_", 0))))
    given = (taken for step, taken in first_steps_by_column(model, list(names), columns) if _keeps_digits(step))
    return frozenset(column for taken in given for column in taken if column != ADDED)


def _keeps_digits(step: Any) -> bool:
    """Whether a step that is given columns compares them in float64, or makes others of them that have their digits."""
    if hasattr(step, "categories_") or is_table_step(step) or type(step).__name__ in (*CHOICES, *IMPUTERS):
        return False
    parts = list(fitted_parts(step))
    trees = [part for part in parts if is_trees(part)]
    if not trees:
        return hasattr(step, "transform")
    if any(ensemble is None or not ensemble.narrow for ensemble in map(read_estimator, trees)):
        return True
    return any(_transforms(part) for part in parts if not is_trees(part))


def _transforms(part: Any) -> bool:
    """Whether it makes other columns of columns: not of labels, and not of what its members answer."""
    return hasattr(part, "transform") and hasattr(part, "n_features_in_") and not hasattr(part, "estimators_")


def _needed(step: Any, columns: Sequence[int]) -> Iterator[int]:
    for column, categories in zip(columns, getattr(step, "categories_", ()), strict=False):
        if _compares_by_digits(categories):
            yield column
    for column, limits in zip(columns, _limits(step), strict=False):
        if _are_rounded(limits):
            yield column
    for center, scale in SCALED:
        moved, divided = (np.atleast_1d(np.asarray(getattr(step, name, np.nan), np.float64)) for name in (center, scale))
        if len(moved) == len(divided) == len(columns):
            with np.errstate(divide="ignore", invalid="ignore"):
                lost = (divided > 0) & (np.spacing(np.abs(moved).astype(np.float32)) / divided > _RESOLUTION)  # a constant column has no range
            yield from np.asarray(columns)[lost].tolist()
    for points in (getattr(step, name, None) for name in POINTS):
        if isinstance(points, np.ndarray) and points.ndim == 2 and points.size and points.shape[1] == len(columns) and points.dtype.kind == "f":
            yield from np.asarray(columns)[_close_together(points)].tolist()


def _limits(step: Any) -> Iterator[Array]:
    """Of each column the values at which the step's answer jumps."""
    if hasattr(step, "bin_edges_"):
        yield from (edges[1:-1] for edges in step.bin_edges_)
    elif isinstance(getattr(step, "quantiles_", None), np.ndarray):
        for quantiles in step.quantiles_.T:
            equal = np.diff(quantiles) <= np.spacing(np.abs(quantiles[1:]).astype(np.float32))
            ends = quantiles[[0, -1]] if step.output_distribution == "normal" else quantiles[:0]
            yield np.concatenate([ends, quantiles[1:][equal], quantiles[:-1][equal]])
    elif getattr(step, "extrapolation", "") == "error":  # the largest value of training would be beyond the last knot
        yield from (spline.t[[spline.k, -spline.k - 1]] for spline in getattr(step, "bsplines_", ()))
    elif type(step).__name__ == "Binarizer":
        yield from itertools.repeat(np.array([step.threshold]))


def _close_together(points: Array) -> Array:
    """Columns [columns] in which points vary by so little beside their size that float32 rounds some of it away."""
    with np.errstate(over="ignore", invalid="ignore"):
        steps, varied = np.spacing(np.abs(points).max(axis=0).astype(np.float32)), points.std(axis=0)
        rounding = np.abs(points - points.astype(np.float32).astype(np.float64)).max(axis=0)
    return np.asarray((rounding > 0) & (varied > 0) & (steps > _RESOLUTION * varied))


def _compares_by_digits(values: Any) -> bool:
    numbers = _numbers(values)
    return bool((np.abs(numbers) >= WHOLE_NUMBERS).any()) or len(np.unique(numbers.astype(np.float32))) < len(np.unique(numbers))


def _are_rounded(limits: Any) -> bool:
    """Whether float32 has other numbers in the place of these: 0.7 itself would be below the limit 0.7."""
    numbers = np.asarray(limits, np.float64)
    return bool((numbers.astype(np.float32) != numbers).any())


def _numbers(values: Any) -> Array:
    """The finite numbers that float32 has a place for."""
    listed = [value for value in np.asarray(values, dtype=object).ravel().tolist() if isinstance(value, int | float)]
    numbers = np.array(listed, dtype=np.float64)
    return numbers[np.abs(numbers) < np.finfo(np.float32).max]
