"""Steps whose own rounding decides what trees behind them answer. Pure.

A PowerTransformer of numbers that lie far from zero beside what they vary by raises them to a huge power and takes almost all of it away again.
What is left has few right digits, which differ from one library's exponential to another's; next to a threshold of a tree they are the answer.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sealift_packager.errors import ConversionError
from sealift_packager.model.source import Array
from sealift_packager.trees.within import fitted_parts

#: How much of what a column varies by a step may round, where trees compare what it gives.
_ROUNDED: Final = 1e-9


def check_powers_before_trees(model: Any) -> None:
    """Refuse a model with trees whose power transformations are rounding errors.

    Args:
        model: A fitted scikit-learn model that has trees within it.

    Raises:
        ConversionError: If one is; it names the step and the column.
    """
    for part in fitted_parts(model):
        if type(part).__name__ == "PowerTransformer" and part.standardize:
            _check(part)


def _check(transformer: Any) -> None:
    rounded = _rounded(transformer)
    at = int(rounded.argmax())
    if rounded[at] <= _ROUNDED:
        return
    names = getattr(transformer, "feature_names_in_", ())
    raise ConversionError(
        "the model's own answers next to the thresholds of its trees are rounding errors of a step before them",
        where=f"PowerTransformer: {names[at] if len(names) else f'column {at}'}",
        expected=f"numbers that the step rounds by at most {_ROUNDED:g} of what they vary by",
        found=f"{rounded[at]:.1g}, because they lie far from zero beside what they vary by",
        advice="Subtract a constant from the column or scale it (StandardScaler) before this step, or leave the step out, and train the model again.",
    )


def _rounded(transformer: Any) -> Array:
    """By how much of its deviation float64 rounds each column [columns]: x^λ has a relative error of about λ·log(x) units in its last place."""
    exponents, scaler = np.asarray(transformer.lambdas_, np.float64), transformer._scaler  # noqa: SLF001
    center = np.asarray(scaler.mean_, np.float64)
    if transformer.method == "yeo-johnson":  # of negative numbers it raises their size to 2 - λ
        exponents = np.where(center < 0, 2 - exponents, exponents)
    with np.errstate(all="ignore"):
        steps = 1 + np.abs(np.log(np.abs(exponents * np.abs(center) + 1)))
        rounded = np.spacing(np.abs(center)) * steps / np.asarray(scaler.scale_, np.float64)
    varies = np.sqrt(scaler.var_) == scaler.scale_  # a constant column has a scale of 1
    return np.where(varies & np.isfinite(rounded), rounded, 0.0)
