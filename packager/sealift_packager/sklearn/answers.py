"""What a scikit-learn model gives, by what it is: outputs by name, each by the method that has it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Final

import numpy as np

from sealift_packager.model.source import Array
from sealift_packager.progress.quiet import quiet
from sealift_packager.sklearn.tags import is_clusterer

#: Output beside the label or the prediction → the method that gives it, [batch, columns].
METHODS: Final = {"probabilities": "predict_proba", "scores": "decision_function", "distances": "transform"}


def outputs_of(model: Any) -> tuple[str, ...]:
    """The outputs' names; none for what doesn't predict.

    A classifier and a mixture give ``label`` and ``probabilities`` where they have them, an outlier detector ``label`` (1, or -1 for an outlier) and
    ``scores`` (below 0 for an outlier), a clustering ``label`` and, if it has centers, ``distances`` to them, a regressor ``prediction``.
    """
    from sklearn.base import is_classifier, is_outlier_detector, is_regressor

    if not hasattr(model, "predict"):
        return ()
    if is_regressor(model):
        return ("prediction",)
    if is_classifier(model) or hasattr(model, "predict_proba"):
        extra = "probabilities"
    elif is_outlier_detector(model):
        extra = "scores"
    elif is_clusterer(model):
        extra = "distances"
    else:
        return ()
    final = _final(model)
    pairs = type(final).__name__ == "GaussianProcessClassifier" and final.n_classes_ > 2 and final.multi_class == "one_vs_one"
    has = hasattr(model, METHODS[extra]) and not pairs and (extra != "distances" or hasattr(_final(model), "cluster_centers_"))
    return ("label", extra) if has else ("label",)


def answers(model: Any, outputs: Sequence[str], table: Any, wide: Container[str] = ()) -> dict[str, Array]:
    """Ask a model: labels are text or int64 [batch], everything else is float32 [batch, columns], or float64 where the output is ``wide``."""
    with quiet():  # an encoder warns of what it was told to ignore
        predicted = np.asarray(model.predict(table))
        more = {name: np.asarray(getattr(model, METHODS[name])(table), np.float32).reshape(len(predicted), -1) for name in outputs if name in METHODS}
    if outputs[0] == "prediction":
        return {"prediction": predicted.reshape(len(predicted), -1).astype(np.float64 if "prediction" in wide else np.float32)}
    labels = predicted.reshape(len(predicted))  # CatBoost's have a column
    return {"label": labels.astype(object) if labels.dtype.kind in "UO" else labels.astype(np.int64), **more}


def decisions(model: Any, table: Any) -> Array:
    """A classifier's scores, float64 [batch, classes], or [batch] of two classes."""
    with quiet():
        return np.asarray(model.decision_function(table), np.float64)


def chooses_by_probability(model: Any) -> bool:
    """Whether a classifier that has scores, too, takes the class with the largest probability: bags do."""
    return any(base.__name__ == "BaggingClassifier" for base in type(_final(model)).__mro__)


def transformed(model: Any, table: Any) -> dict[str, Array]:
    """Ask a transformer: numbers are float32, ``values`` [batch, columns]."""
    with quiet():
        result = model.transform(table)
    values = np.asarray(result.toarray() if hasattr(result, "toarray") else result)
    return {"values": values if values.dtype.kind in "UO" else values.astype(np.float32)}


def _final(model: Any) -> Any:
    return _final(model.steps[-1][1]) if hasattr(model, "steps") else model
