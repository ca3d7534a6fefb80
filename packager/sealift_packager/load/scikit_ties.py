"""Rows that a scikit-learn model answers by chance.

Of two neighbours that are equally far it takes the one that its search met first, and rounding decides whether one on the radius is inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from sealift_packager.load.source import Array
from sealift_packager.load.unwrapped import first_steps
from sealift_packager.quiet import quiet

#: Distances are equal if they are this near, as a share and at least.
_SHARE: Final = 1e-9
_LEAST: Final = 1e-12


def ties_of(model: Any) -> Callable[[Any], Array] | None:
    """From a table to which of its rows [rows] are such; None for a model that doesn't end in neighbours."""
    final = model.steps[-1][1] if hasattr(model, "steps") else model
    tied = _TIED.get(type(final).__name__)
    if tied is None:
        return None
    before = first_steps(model, len(model.steps) - 1) if hasattr(model, "steps") and len(model.steps) > 1 else None

    def of_table(table: Any) -> Array:
        with quiet():
            return tied(final, before.transform(table) if before is not None else table)

    return of_table


def _of_last(model: Any, rows: Any) -> Array:
    """The last neighbour that counts is as far as the next one."""
    if model.n_neighbors >= model.n_samples_fit_:
        return np.zeros(rows.shape[0], dtype=bool)
    distances = model.kneighbors(rows, model.n_neighbors + 1)[0]
    return np.asarray(distances[:, -1] - distances[:, -2] <= _SHARE * distances[:, -1] + _LEAST)


def _on_radius(model: Any, rows: Any) -> Array:
    """A neighbour is as far as the radius."""
    slack = _SHARE * model.radius + _LEAST
    inner, outer = (model.radius_neighbors(rows, model.radius + sign * slack, return_distance=False) for sign in (-1, 1))
    return np.array([len(few) != len(many) for few, many in zip(inner, outer, strict=True)])


_TIED: Final[dict[str, Callable[[Any, Any], Array]]] = {
    "KNeighborsClassifier": _of_last,
    "KNeighborsRegressor": _of_last,
    "RadiusNeighborsClassifier": _on_radius,
    "RadiusNeighborsRegressor": _on_radius,
}
