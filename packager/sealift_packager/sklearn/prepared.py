"""An estimator in a form that skl2onnx converts: what it can't read is replaced by an equivalent."""

from __future__ import annotations

import copy
import itertools
from typing import Any, Final

import numpy as np

from sealift_packager.model.unwrapped import CHOICES, is_resampling, unwrapped
from sealift_packager.sklearn.missing_text import fills_text, gaps_of, missing_text_of
from sealift_packager.sklearn.surrogates import PROJECTIONS, line_of, projection_of
from sealift_packager.trees.within import all_parts, fitted_parts

#: Where models made of others keep fitted ones that predict.
_MEMBERS: Final = ("estimator", "estimator_", "estimators_", "final_estimator_", "regressor_")
_WRAPPERS: Final = frozenset((*CHOICES, "FrozenEstimator", "GridSearchCV", "RandomizedSearchCV", "SelfTrainingClassifier"))
#: imbalanced-learn's ensembles → scikit-learn's.
_RESAMPLING: Final = {
    "BalancedBaggingClassifier": "BaggingClassifier",
    "EasyEnsembleClassifier": "BaggingClassifier",
    "RUSBoostClassifier": "AdaBoostClassifier",
}
_CONCERNED: Final = frozenset(
    {*PROJECTIONS, *_WRAPPERS, "AdaBoostClassifier", "ColumnTransformer", "LinearSVC", "StackingClassifier", "VotingClassifier"}
)


def prepared(model: Any, *, transforms: bool = False) -> Any:
    """The model, or a copy that differs where skl2onnx needs it; ``transforms`` says that it is a pipeline of transformers alone.

    - Missing text is ``""``: a tensor of text has no NaN. (`InputLayout.table` gives the source NaN for it, or None.)
    - An imputer of text keeps the gaps of columns whose other kind, None or NaN, the encoder behind it knows (``kept_gaps``).
    - A column transformer's columns are numbers.
    - A LinearSVC in one against the rest, in a stack or at the end of a pipeline in another model is a RidgeClassifier of the same line: of its
      scores skl2onnx makes no columns.
    - A step of `PROJECTIONS` is a PCA: skl2onnx has none of most of them, and takes LinearDiscriminantAnalysis for a classifier anywhere.
    - Classes of an AdaBoostClassifier that are true and false are 1 and 0, as in every graph.
    - A support-vector classifier that gives labels alone is of shape one against the rest: the shape of its scores changes no label.
    - imbalanced-learn's ensembles are scikit-learn's.
    - Members of models are unwrapped as a whole model is (`unwrapped`).
    - A vote's ``flatten_transform`` is off: it concerns ``transform`` alone, which is not converted.
    """
    final = model.steps[-1][1] if hasattr(model, "steps") else model
    untouched = not any(type(part).__name__ in _CONCERNED or is_resampling(part) for part in all_parts(model)) and not missing_text_of(model)
    if untouched and not _gives_pairs(final):
        return model
    result = copy.deepcopy(model)
    if transforms:
        result.steps[-1] = (result.steps[-1][0], projection_of(result.steps[-1][1]))
    for part in list(all_parts(result)):
        _resample_nothing(part)
        _unwrap(part)
    for part in all_parts(result):
        _project(part)
        _keep_gaps(part)
        if hasattr(part, "steps") and part is not result:
            line_of(part)
    for part in fitted_parts(result):
        _adapt(part)
    final = result.steps[-1][1] if hasattr(result, "steps") else result
    if _gives_pairs(final):
        final.decision_function_shape = "ovr"
    return result


def _gives_pairs(final: Any) -> bool:
    """Whether a model's last step has a score for each pair of classes, which isn't given."""
    return getattr(final, "decision_function_shape", "") == "ovo" and not hasattr(final, "predict_proba")


def _adapt(part: Any) -> None:
    """Change one fitted estimator in place, as the list in `prepared` says."""
    if type(part).__name__ == "VotingClassifier":
        part.flatten_transform = False
    if type(part).__name__ == "AdaBoostClassifier" and part.classes_.dtype == bool:
        part.classes_ = part.classes_.astype(np.int64)
    if type(part).__name__ in ("OneVsRestClassifier", "StackingClassifier"):
        part.estimators_ = [line_of(member) for member in part.estimators_]
    if type(part).__name__ == "StackingClassifier":
        part.final_estimator_ = line_of(part.final_estimator_)
    if type(part).__name__ == "ColumnTransformer":
        part.transformers_ = [(name, step, _numbered(part, name)) for name, step, _ in part.transformers_]
    if fills_text(part):
        part.missing_values = ""
    if hasattr(part, "categories_"):
        part.categories_ = [_named(categories) for categories in part.categories_]


def _resample_nothing(part: Any) -> None:
    """Make an ensemble of imbalanced-learn the one of scikit-learn that it answers like, in place."""
    from sklearn import ensemble

    name = _RESAMPLING.get(type(part).__name__)
    if name and is_resampling(part):
        part.__class__ = getattr(ensemble, name)


def _unwrap(part: Any) -> None:
    """Put the models that predict in the place of what is wrapped around the members of one."""
    for name in _MEMBERS if type(part).__name__ not in _WRAPPERS else ():
        value = vars(part).get(name)
        if isinstance(value, list):
            setattr(part, name, [_inside(member) for member in value])
        elif value is not None:
            setattr(part, name, _inside(value))
    if hasattr(part, "steps"):
        part.steps = [*part.steps[:-1], (part.steps[-1][0], _inside(part.steps[-1][1]))]


def _inside(member: Any) -> Any:
    """What a fitted wrapper holds; anything else as it is."""
    if is_resampling(member) and hasattr(member, "steps"):
        return unwrapped(member, "Pipeline")
    holds = type(member).__name__ == "FrozenEstimator" or hasattr(member, "best_estimator_") or hasattr(member, "estimator_")
    return unwrapped(member, type(member).__name__) if type(member).__name__ in _WRAPPERS and holds else member


def _keep_gaps(part: Any) -> None:
    """Mark, on an imputer of text in a pipeline, the columns whose gaps it leaves to the encoder behind it."""
    steps = [step for _, step in getattr(part, "steps", ())]
    for imputer, encoder in itertools.pairwise(steps):
        if fills_text(imputer) and hasattr(encoder, "categories_"):
            fills = "None" if imputer.missing_values is None else "NaN"
            imputer.kept_gaps = [at for at, known in enumerate(encoder.categories_) if gaps_of(known) - {fills, ""}]


def _project(part: Any) -> None:
    """Steps before the last one and parts of a union transform, also where they could classify."""
    if hasattr(part, "steps"):
        part.steps = [(name, projection_of(step)) for name, step in part.steps[:-1]] + part.steps[-1:]
    if hasattr(part, "transformer_list"):
        part.transformer_list = [(name, projection_of(step)) for name, step in part.transformer_list]
    if hasattr(part, "transformers_"):
        part.transformers_ = [(name, projection_of(step), columns) for name, step, columns in part.transformers_]


def _numbered(transformer: Any, name: str) -> Any:
    indices = transformer._transformer_to_input_indices  # noqa: SLF001
    return [int(at) for at in indices[name]] if name in indices else []


def _named(categories: Any) -> Any:
    values = np.asarray(categories)
    text = values.dtype == object and any(isinstance(item, str) for item in values)
    return values if not text else np.array(["" if item is None or item != item else item for item in values], dtype=object)
