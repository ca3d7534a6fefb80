"""The model that a search or a training found, without steps that do nothing: what was fitted around it isn't needed to predict. Pure."""

from __future__ import annotations

import copy
from typing import Any

from sealift_packager.errors import SourceModelError


def unwrapped(model: Any, where: str) -> Any:
    """``best_estimator_`` of a search, ``estimator_`` of a SelfTrainingClassifier, also in a pipeline's steps, and of these those that do something.

    `SourceModelError` if a search kept no model.
    """
    if any(base.__name__ == "BaseSearchCV" for base in type(model).__mro__):
        if not hasattr(model, "best_estimator_"):
            advice = "Fit it with refit=True, or save best_estimator_ itself."
            raise SourceModelError(
                "the search holds no fitted model", where=where, expected="best_estimator_", found=type(model).__name__, advice=advice
            )
        return unwrapped(model.best_estimator_, where)
    if type(model).__name__ == "SelfTrainingClassifier":
        trained = getattr(model, "estimator_", getattr(model, "base_estimator_", None))  # the latter until scikit-learn 1.5
        return model if trained is None else unwrapped(trained, where)
    if not hasattr(model, "steps"):
        return model
    kept = [(name, step) for name, step in model.steps[:-1] if step is not None and not isinstance(step, str)] + model.steps[-1:]
    steps = [(name, unwrapped(step, where)) for name, step in kept]
    if len(steps) == len(model.steps) and all(new is old for (_, new), (_, old) in zip(steps, kept, strict=True)):
        return model
    result = copy.copy(model)
    result.steps = steps
    return result


def first_steps(pipeline: Any, count: int) -> Any:
    """A pipeline of its first ``count`` steps, fitted as they are."""
    result = copy.copy(pipeline)
    result.steps = pipeline.steps[:count]
    return result
