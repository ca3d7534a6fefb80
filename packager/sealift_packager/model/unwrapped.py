"""The model that a search or a training found, without steps that do nothing: what was fitted around it isn't needed to predict. Pure."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Final

from sealift_packager.errors import SourceModelError

#: Choices of features that predict, too.
CHOICES: Final = ("RFE", "RFECV")


def unwrapped(model: Any, where: str) -> Any:
    """``best_estimator_`` of a search, ``estimator_`` of a SelfTrainingClassifier, also in a pipeline's steps, of which those that do something.

    A choice of features that predicts (RFE) is a pipeline of the choice and its estimator, and imbalanced-learn's pipeline one without samplers.
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
    if type(model).__name__ == "FrozenEstimator":
        return unwrapped(model.estimator, where)
    if type(model).__name__ in CHOICES and hasattr(model, "estimator_"):
        return unwrapped(_pipeline_of([("chosen", model), ("estimator", model.estimator_)]), where)
    if not hasattr(model, "steps"):
        return model
    kept = [(name, step) for name, step in model.steps[:-1] if does_something(step)] + model.steps[-1:]
    steps = [(name, step if type(step).__name__ in CHOICES else unwrapped(step, where)) for name, step in kept[:-1]]
    steps += _spliced(kept[-1], where)
    if is_resampling(model):  # a pipeline of imbalanced-learn, of which a single step may be left
        return _pipeline_of(steps) if len(steps) > 1 else steps[0][1]
    if len(steps) == len(kept) == len(model.steps) and all(new is old for (_, new), (_, old) in zip(steps, kept, strict=True)):
        return model
    result = copy.copy(model)
    result.steps = steps
    return result


def does_something(step: Any) -> bool:
    """Whether a pipeline's step changes rows that are predicted: samplers (imbalanced-learn's) change those of a training alone."""
    samples = hasattr(step, "fit_resample") and not hasattr(step, "transform")
    return step is not None and not isinstance(step, str) and not samples


def is_resampling(model: Any) -> bool:
    """Whether a class is imbalanced-learn's: its models differ from scikit-learn's in how they are trained."""
    return type(model).__module__.startswith("imblearn.")


def _spliced(last: tuple[str, Any], where: str) -> list[tuple[str, Any]]:
    """The last step of a pipeline; those of the pipeline that a choice of features is."""
    name, final = last
    found = unwrapped(final, where)
    return [(f"{name}_{inner}", step) for inner, step in found.steps] if type(final).__name__ in CHOICES else [(name, found)]


def _pipeline_of(steps: Sequence[tuple[str, Any]]) -> Any:
    from sklearn.pipeline import Pipeline

    return Pipeline(list(steps))


def first_steps(pipeline: Any, count: int) -> Any:
    """A pipeline of its first ``count`` steps, fitted as they are."""
    result = copy.copy(pipeline)
    result.steps = pipeline.steps[:count]
    return result
