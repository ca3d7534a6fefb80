"""Logistic probabilities of scores in float64, with all their digits also near 0, where those of several classes are divided by their sum."""

from __future__ import annotations

from typing import Any

import numpy as np

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.distances import given_rows
from sealift_packager.sklearn.converters.inner_trees import wants_scores
from sealift_packager.sklearn.converters.members import leave_to_skl2onnx, name_class
from sealift_packager.sklearn.converters.shares import logistic, of_their_sum


def write_logistic(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a LogisticRegression; of several classes, each against the others, with the digits of small probabilities."""
    model = operator.raw_operator
    if len(model.classes_) == 2 or not _is_one_against_rest(model) or wants_scores(scope, operator, container):
        leave_to_skl2onnx(scope, operator, container)
        return
    writer = NodeWriter(scope.get_unique_operator_name("logistic"))
    lines = writer.constant("lines", np.asarray(model.coef_, np.float64))
    intercepts = writer.constant("intercepts", np.broadcast_to(np.asarray(model.intercept_, np.float64), (len(model.classes_),)))
    score = writer.add("Gemm", given_rows(writer, operator), lines, intercepts, transB=1)
    name_class(writer, operator, writer.add("ArgMax", score, axis=1, keepdims=0))
    values = of_their_sum(writer, logistic(writer, score), of_none=None)
    writer.add("Cast", values, output=operator.outputs[1].full_name, to=operator.outputs[1].type.to_onnx_type().tensor_type.elem_type)
    writer.put_into(container)


def _is_one_against_rest(model: Any) -> bool:
    """As scikit-learn before 1.8 decides it; from then on there is one model of all classes."""
    asked = getattr(model, "multi_class", "multinomial")
    return asked in ("ovr", "warn") or (asked in ("auto", "deprecated") and model.solver == "liblinear")
