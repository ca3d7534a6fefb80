"""Rows that a scikit-learn model answers by chance: of two neighbours that are equally far it takes the one that its search met first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from sealift_packager.load.source import Array
from sealift_packager.load.unwrapped import first_steps
from sealift_packager.quiet import quiet

#: The last neighbour that counts and the next one are equally far if they are this near, as a share of the distance and at least.
_SHARE: Final = 1e-9
_LEAST: Final = 1e-12


def ties_of(model: Any) -> Callable[[Any], Array] | None:
    """From a table to which of its rows [rows] have such neighbours; None for a model that doesn't end in k nearest neighbours."""
    final = model.steps[-1][1] if hasattr(model, "steps") else model
    if type(final).__name__ not in ("KNeighborsClassifier", "KNeighborsRegressor") or final.n_neighbors >= final.n_samples_fit_:
        return None
    before = first_steps(model, len(model.steps) - 1) if hasattr(model, "steps") and len(model.steps) > 1 else None

    def tied(table: Any) -> Array:
        with quiet():
            rows = before.transform(table) if before is not None else table
            distances = final.kneighbors(rows, final.n_neighbors + 1)[0]
        return np.asarray(distances[:, -1] - distances[:, -2] <= _SHARE * distances[:, -1] + _LEAST)

    return tied
