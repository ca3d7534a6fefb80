"""Rows that a scikit-learn model answers by chance.

Of two neighbours that are equally far it takes the one that its search met first, and rounding decides whether one on the radius is inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from sealift_packager.model.source import Array
from sealift_packager.progress.quiet import quiet
from sealift_packager.sklearn.inner_rows import parts_with_rows
from sealift_packager.trees.within import fitted_parts

#: Distances are equal if they are this near, as a share and at least.
_SHARE: Final = 1e-9
_LEAST: Final = 1e-12


def ties_of(model: Any) -> Callable[[Any], Array] | None:
    """From a table to which of its rows [rows] are such; None for a model that has no neighbours in any of its parts."""
    if not _has_neighbors(model):
        return None

    def of_table(table: Any) -> Array:
        with quiet():
            parts = parts_with_rows(model, table, _has_neighbors)
            masks = [_TIED[type(part).__name__](part, rows) for part, rows in parts if type(part).__name__ in _TIED]
        return np.asarray(np.any([np.zeros(len(table), dtype=bool), *masks], axis=0))

    return of_table


def tied_steps(model: Any) -> tuple[str, ...]:
    """Name the estimators in a model that have ties.

    Args:
        model: A fitted model.

    Returns:
        Their classes, each once.
    """
    return tuple(dict.fromkeys(type(part).__name__ for part in fitted_parts(model) if type(part).__name__ in _TIED))


def _has_neighbors(part: Any) -> bool:
    return any(type(inner).__name__ in _TIED for inner in fitted_parts(part))


def _of_last(model: Any, rows: Any) -> Array:
    """The last neighbour that counts is as far as the next one."""
    if model.n_neighbors >= model.n_samples_fit_:
        return np.zeros(rows.shape[0], dtype=bool)
    distances = model.kneighbors(rows, model.n_neighbors + 1)[0]
    return _equal(distances[:, -2], distances[:, -1])


def _on_radius(model: Any, rows: Any) -> Array:
    """A neighbour is as far as the radius."""
    slack = _SHARE * model.radius + _LEAST
    inner, outer = (model.radius_neighbors(rows, model.radius + sign * slack, return_distance=False) for sign in (-1, 1))
    return np.array([len(few) != len(many) for few, many in zip(inner, outer, strict=True)])


def _of_donors(model: Any, rows: Any) -> Array:
    """The same of those that fill a gap."""
    from sklearn.metrics.pairwise import nan_euclidean_distances

    given = np.array(rows, np.float64)
    gaps = np.isnan(given) if np.isnan(model.missing_values) else given == model.missing_values
    distances = nan_euclidean_distances(given, model._fit_X, squared=True, missing_values=model.missing_values)  # noqa: SLF001
    noise = _LEAST * (1 + np.sum(np.where(gaps, 0, given) ** 2, axis=1))  # of squares that are taken from each other
    tied = np.zeros(len(given), dtype=bool)
    for column in range(given.shape[1]):
        near = np.sort(distances[:, ~model._mask_fit_X[:, column]], axis=1)  # noqa: SLF001
        if near.shape[1] > model.n_neighbors:
            tied |= gaps[:, column] & _equal(near[:, model.n_neighbors - 1], near[:, model.n_neighbors], noise)
    return tied


def _equal(near: Array, far: Array, least: Array | float = _LEAST) -> Array:
    return np.asarray(far - near <= _SHARE * far + least)


_TIED: Final[dict[str, Callable[[Any, Any], Array]]] = {
    "KNNImputer": _of_donors,
    "KNeighborsClassifier": _of_last,
    "KNeighborsRegressor": _of_last,
    "RadiusNeighborsClassifier": _on_radius,
    "RadiusNeighborsRegressor": _on_radius,
}
