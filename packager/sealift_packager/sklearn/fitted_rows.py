"""Rows like those that a scikit-learn model was fitted on, as far as its first steps show them. Pure.

Without data, parity asks with random numbers about zero. A model that was fitted on numbers near a billion says nothing about its digits there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from sealift_packager.model.categories import ADDED, first_steps_by_column
from sealift_packager.model.source import Array
from sealift_packager.sklearn.digits import POINTS, SCALED
from sealift_packager.trees.within import all_parts

ROWS: Final = 64
#: Half of the rows are points of the model itself; the others are this share of their spread away.
_BESIDE: Final = 0.1


def fitted_rows(model: Any, names: Sequence[str]) -> Array | None:
    """Make rows, [`ROWS`, columns] in float64; random numbers about zero in columns that nothing is known of.

    Args:
        model: A fitted model.
        names: Its columns' names; empty if they have none.

    Returns:
        The rows; None if nothing is known of any column.
    """
    width = int(getattr(model, "n_features_in_", 0))
    generator = np.random.default_rng(0)
    rows, known = generator.normal(size=(ROWS, width)), False
    for step, columns in first_steps_by_column(model, list(names), list(range(width))):
        values = next(itertools.chain(_points(step, len(columns)), _scaled(step, len(columns), generator)), None) if columns else None
        if values is not None:
            drawn = values[generator.integers(0, len(values), ROWS)]
            moved = _BESIDE * values.std(axis=0) * generator.normal(size=drawn.shape)
            made = np.where(np.arange(ROWS)[:, None] % 2, drawn + moved, drawn)
            own = np.array(columns) != ADDED
            rows[:, np.array(columns)[own]] = made[:, own]
            known = bool(known or own.any())
    return rows if known else None


def _points(step: Any, width: int) -> Iterator[Array]:
    """Points [points, columns] that the step, or a part of it, keeps."""
    for part in all_parts(step):
        for values in (*(getattr(part, name, None) for name in POINTS), _knots(part)):
            if isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == width and values.dtype.kind == "f" and len(values):
                finite = values[np.isfinite(values).all(axis=1)].astype(np.float64)
                if len(finite):
                    yield finite


def _knots(part: Any) -> Array | None:
    """Of a SplineTransformer those that splines lie between, [knots, columns]."""
    splines = getattr(part, "bsplines_", None)
    return np.stack([spline.t[spline.k : len(spline.t) - spline.k] for spline in splines], axis=1) if splines else None


def _scaled(step: Any, width: int, generator: np.random.Generator) -> Iterator[Array]:
    """Rows about a scaler's middle, as wide as it divides by."""
    for names in SCALED:
        center, scale = (np.atleast_1d(np.asarray(getattr(step, name, np.nan), np.float64)) for name in names)
        if len(center) == len(scale) == width and np.isfinite(center).all() and np.isfinite(scale).all():
            yield center + scale * generator.normal(size=(ROWS, width))
