"""The model that a search over settings found: what was fitted around it isn't needed to predict. Pure."""

from __future__ import annotations

import copy
from typing import Any

from sealift_packager.errors import SourceModelError


def unwrapped(model: Any, where: str) -> Any:
    """``best_estimator_`` of a GridSearchCV or another search, also in a pipeline's steps; `SourceModelError` if it kept none."""
    if any(base.__name__ == "BaseSearchCV" for base in type(model).__mro__):
        if not hasattr(model, "best_estimator_"):
            advice = "Fit it with refit=True, or save best_estimator_ itself."
            raise SourceModelError(
                "the search holds no fitted model", where=where, expected="best_estimator_", found=type(model).__name__, advice=advice
            )
        return unwrapped(model.best_estimator_, where)
    if not hasattr(model, "steps"):
        return model
    steps = [(name, unwrapped(step, where)) for name, step in model.steps]
    if all(new is old for (_, new), (_, old) in zip(steps, model.steps, strict=True)):
        return model
    result = copy.copy(model)
    result.steps = steps
    return result
