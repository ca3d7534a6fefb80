"""An estimator as skl2onnx takes it: what it can't read is said another way, with the same meaning."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from sealift_packager.load.missing_text import fills_text, knows_missing_text
from sealift_packager.trees.within import fitted_parts


def prepared(model: Any, *, by_name: bool) -> Any:
    """The model, or a copy that differs where skl2onnx needs it.

    - Missing text is ``""``: a tensor of text has no NaN. (`load.scikit` asks the source with NaN for it.)
    - A column transformer's columns are numbers, unless the graph has an input for each (``by_name``).
    - A LinearSVC in one against the rest or in a stack is a LogisticRegression of the same line: of its scores skl2onnx makes no columns.
    - A vote's ``flatten_transform`` is off: it concerns ``transform`` alone, which is not converted.
    """
    concerned = {"OneVsRestClassifier", "StackingClassifier", "VotingClassifier"} | (set() if by_name else {"ColumnTransformer"})
    if concerned.isdisjoint(type(part).__name__ for part in fitted_parts(model)) and not knows_missing_text(model):
        return model
    result = copy.deepcopy(model)
    for part in fitted_parts(result):
        if type(part).__name__ == "VotingClassifier":
            part.flatten_transform = False
        if type(part).__name__ in ("OneVsRestClassifier", "StackingClassifier"):
            part.estimators_ = [_with_columns(row) for row in part.estimators_]
        if type(part).__name__ == "StackingClassifier":
            part.final_estimator_ = _with_columns(part.final_estimator_)
        if type(part).__name__ == "ColumnTransformer" and not by_name:
            part.transformers_ = [(name, step, _numbered(part, name, columns)) for name, step, columns in part.transformers_]
        if fills_text(part):
            part.missing_values = ""
        if hasattr(part, "categories_"):
            part.categories_ = [_named(row) for row in part.categories_]
    return result


def _with_columns(model: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    if hasattr(model, "steps"):
        model.steps[-1] = (model.steps[-1][0], _with_columns(model.steps[-1][1]))
        return model
    if type(model).__name__ != "LinearSVC":
        return model
    line = LogisticRegression()
    for name in ("classes_", "coef_", "intercept_", "n_features_in_"):
        setattr(line, name, getattr(model, name))
    line.intercept_ = np.zeros(len(line.coef_)) + line.intercept_  # one number without fit_intercept
    return line


def _numbered(transformer: Any, name: str, columns: Any) -> Any:
    known = transformer._transformer_to_input_indices  # noqa: SLF001
    return list(known[name]) if name in known else columns


def _named(categories: Any) -> Any:
    values = np.asarray(categories)
    return values if values.dtype != object else np.array(["" if item is None or item != item else item for item in values], dtype=object)
