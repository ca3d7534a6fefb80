"""Fitted estimators that skl2onnx takes in the place of others, with the same answers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sealift_packager.progress.quiet import quiet

#: Transformers that project rows from a middle → the attribute that has it; "" for zero.
PROJECTIONS: Final = {
    "FactorAnalysis": "mean_",
    "FastICA": "mean_",
    "FeatureAgglomeration": "",
    "LinearDiscriminantAnalysis": "xbar_",
}


def line_of(model: Any) -> Any:
    """A RidgeClassifier, which has no probabilities either, of a fitted LinearSVC's line, also at a pipeline's end; anything else as it is."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.preprocessing import LabelBinarizer

    if hasattr(model, "steps"):
        model.steps[-1] = (model.steps[-1][0], line_of(model.steps[-1][1]))
        return model
    if type(model).__name__ != "LinearSVC" or not hasattr(model, "coef_"):
        return model
    line = RidgeClassifier()
    line.coef_, line.n_features_in_ = model.coef_, model.n_features_in_
    line.intercept_ = np.zeros(len(model.coef_)) + model.intercept_  # one number without fit_intercept
    vars(line)["classes_"] = model.classes_
    line._label_binarizer = LabelBinarizer().fit(model.classes_)  # noqa: SLF001  # where older versions have their classes
    return line


def projection_of(step: Any) -> Any:
    """A PCA of what a fitted transformer of `PROJECTIONS` does; anything else as it is."""
    from sklearn.decomposition import PCA

    if type(step).__name__ not in PROJECTIONS or not hasattr(step, "n_features_in_") or getattr(step, "pooling_func", np.mean) is not np.mean:
        return step
    width = int(step.n_features_in_)
    middle = np.asarray(getattr(step, PROJECTIONS[type(step).__name__], np.zeros(width)), np.float64)
    with quiet():  # scikit-learn warns of columns without names
        axes = step.transform(middle + np.eye(width)) - step.transform(middle[None])
    projection = PCA(axes.shape[1])
    projection.mean_, projection.components_, projection.n_features_in_ = middle, axes.T, width
    projection.n_components_, projection.explained_variance_ = axes.shape[1], np.ones(axes.shape[1])
    return projection
