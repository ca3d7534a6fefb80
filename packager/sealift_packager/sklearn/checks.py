"""Whether what a file holds is a model that can be packed: a fitted estimator that predicts one target."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sealift_packager.errors import SourceModelError, without_numpy
from sealift_packager.sklearn.answers import outputs_of
from sealift_packager.trees.within import fitted_parts

_ELSEWHERE: Final = (
    "Models that don't predict new rows (a transformer, DBSCAN) can be converted with skl2onnx, if it supports them, and packed as ONNX."
)


def check_estimator(model: Any, where: str) -> str:
    """Check that a model predicts, is fitted, and has one target.

    Args:
        model: What a file holds, unwrapped.
        where: What errors call it.

    Returns:
        The version of scikit-learn.

    Raises:
        SourceModelError: If it isn't such a model.
    """
    import sklearn
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    expected = "a fitted scikit-learn classifier, regressor, clustering, mixture or outlier detector with predict, or a pipeline that ends in one"
    if not isinstance(model, BaseEstimator) or not outputs_of(model):
        advice = _ELSEWHERE if isinstance(model, BaseEstimator) else None
        class_name = f"{type(model).__module__}.{type(model).__qualname__}"
        class_name += f" that ends in {type(model.steps[-1][1]).__name__}" if hasattr(model, "steps") else ""
        raise SourceModelError("not a model", where=where, expected=expected, found=class_name, advice=advice)
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise SourceModelError("the model is not fitted", where=where, expected=expected, advice="Save it after fit().") from error
    if _has_several_targets(model):
        advice = "Pack one classifier per target."
        raise SourceModelError(
            "a classifier with several targets is not supported", where=where, expected="a classifier with one target", advice=advice
        )
    for part in fitted_parts(model):
        if _encodes_text(part):
            raise SourceModelError(
                "trees that encode categories of a pandas table themselves",
                where=f"{where}: {type(part).__name__}",
                expected="numbers",
                found=without_numpy(f"categorical_features={part.categorical_features!r}"),
                advice="Put OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=np.nan) before it, and name the columns by number.",
            )
    return str(sklearn.__version__)


def _has_several_targets(model: Any) -> bool:
    """Of a classifier: labels of several targets, or any number of labels for a row."""
    classes = getattr(model, "classes_", None)
    final = model.steps[-1][1] if hasattr(model, "steps") else model
    target_type = getattr(getattr(final, "_label_binarizer", None), "y_type_", "")
    nested = isinstance(classes, list) or (classes is not None and np.ndim(classes) > 1)
    return nested or bool(getattr(final, "multilabel_", False)) or "multilabel" in target_type


def _encodes_text(part: Any) -> bool:
    preprocessor = getattr(part, "_preprocessor", None)  # of histogram gradient boosting, which has categories of its own
    steps = fitted_parts(preprocessor) if preprocessor is not None else ()
    return any(np.asarray(categories).dtype.kind not in "biuf" for step in steps for categories in getattr(step, "categories_", ()))
