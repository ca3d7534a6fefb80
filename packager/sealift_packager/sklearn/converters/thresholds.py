"""Classifiers that decide by a threshold of their own: FixedThresholdClassifier and TunedThresholdClassifierCV."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.errors import ConversionError
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.members import ask_classifier, name_class

_METHODS = ("predict_proba", "decision_function")


def write_threshold(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of one: a table's columns in, label [batch] and probabilities or, where there are none, scores [batch, 2] out."""
    model = operator.raw_operator
    inner = getattr(model, "estimator_", model.estimator)  # one that was fitted before needs no fit
    method, writer = _method(model, inner), NodeWriter(scope.get_unique_operator_name("threshold"))
    share = hasattr(inner, "predict_proba")
    values = ask_classifier(scope, container, inner, operator.inputs, scores=not share)[1]
    scores = values
    if share and method == "decision_function":  # skl2onnx keeps an estimator's options by its identity
        scores = ask_classifier(scope, container, copy.deepcopy(inner), operator.inputs, scores=True)[1]
    positive = _positive(model)
    column = writer.add("Cast", writer.add("Gather", scores, writer.constant("positive", np.array(positive)), axis=1), to=TensorProto.DOUBLE)
    above = writer.add("GreaterOrEqual", column, writer.constant("limit", np.float64(_limit(model, method))))
    number = writer.add("Where", above, writer.constant("yes", np.array(positive)), writer.constant("no", np.array(1 - positive)))
    name_class(writer, operator, number)
    element_type = operator.outputs[1].type.to_onnx_type().tensor_type.elem_type
    writer.add("Cast", values, output=operator.outputs[1].full_name, to=element_type)
    writer.put_into(container)


def _method(model: Any, inner: Any) -> str:
    """What the threshold is one of."""
    wanted = _METHODS if model.response_method == "auto" else (model.response_method,)
    has = [method for method in wanted if hasattr(inner, method)]
    if not has:
        raise ConversionError(
            "a threshold of what the classifier doesn't give",
            where=type(model).__name__,
            expected=" or ".join(wanted),
            found=f"{type(inner).__name__} without it",
            advice="Change response_method, and fit it again.",
        )
    return has[0]


def _positive(model: Any) -> int:
    tuned = hasattr(model, "best_threshold_")
    label = model._curve_scorer._get_pos_label() if tuned else model.pos_label  # noqa: SLF001
    return 1 if label is None else int(np.flatnonzero(model.classes_ == label)[0])


def _limit(model: Any, method: str) -> float:
    limit = getattr(model, "best_threshold_", None)
    limit = model.threshold if limit is None else limit
    usual = 0.5 if method == "predict_proba" else 0.0
    return usual if isinstance(limit, str) else float(limit)
