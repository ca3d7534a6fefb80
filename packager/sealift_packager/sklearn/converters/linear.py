"""scikit-learn's linear models that skl2onnx gives another function or shape, as plain operators in float64."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.labels import label_type, label_values
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.distances import given_rows
from sealift_packager.sklearn.converters.inner_trees import wants_scores
from sealift_packager.sklearn.converters.members import leave_to_skl2onnx, name_class
from sealift_packager.sklearn.converters.shares import logistic, of_their_sum


def write_discriminant(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a LinearDiscriminantAnalysis: rows [batch, features] in, label [batch] and probabilities [batch, classes] out.

    skl2onnx's probabilities of two classes are those of twice the score.
    """
    model = operator.raw_operator
    writer = NodeWriter(scope.get_unique_operator_name("discriminant"))
    score = _score(writer, operator, model.coef_, np.ravel(model.intercept_))
    if len(model.classes_) == 2:
        score = writer.add("Concat", writer.add("Neg", score), score, axis=1)
        values = score if wants_scores(scope, operator, container) else writer.add("Sigmoid", score)
    else:
        values = score if wants_scores(scope, operator, container) else writer.add("Softmax", score, axis=1)
    best = writer.add("ArgMax", score, axis=1, keepdims=0)
    writer.add("Gather", writer.constant("classes", label_values(model.classes_)), best, output=operator.outputs[0].full_name)
    writer.add("Cast", values, output=operator.outputs[1].full_name, to=TensorProto.FLOAT)
    writer.put_into(container)


def shape_of_discriminant(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    from skl2onnx.common.data_types import FloatTensorType

    classes = operator.raw_operator.classes_
    operator.outputs[0].type = label_type(classes)
    operator.outputs[1].type = FloatTensorType([None, len(classes)])


def write_gradient_descent(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of an SGDClassifier with probabilities; the label has the largest score, also where probabilities are all 0 or 1."""
    model = operator.raw_operator
    if model.loss not in ("log_loss", "modified_huber"):
        leave_to_skl2onnx(scope, operator, container)
        return
    writer = NodeWriter(scope.get_unique_operator_name("descent"))
    score = _score(writer, operator, model.coef_, np.ravel(model.intercept_))
    both = writer.add("Concat", writer.add("Neg", score), score, axis=1) if len(model.classes_) == 2 else score
    name_class(writer, operator, writer.add("ArgMax", both, axis=1, keepdims=0))
    values = both if wants_scores(scope, operator, container) else _shares(writer, score, model)
    writer.add("Cast", values, output=operator.outputs[1].full_name, to=operator.outputs[1].type.to_onnx_type().tensor_type.elem_type)
    writer.put_into(container)


def _shares(writer: NodeWriter, score: str, model: Any) -> str:
    """Probabilities [batch, classes] of scores [batch, classes], or [batch, 1] of two."""
    one = writer.constant("one", np.float64(1))
    if model.loss == "log_loss":
        each = logistic(writer, score)
    else:
        clipped = writer.add("Min", writer.add("Max", score, writer.constant("minus", np.float64(-1))), one)
        each = writer.add("Mul", writer.add("Add", clipped, one), writer.constant("half", np.float64(0.5)))
    if len(model.classes_) == 2:
        return writer.add("Concat", writer.add("Sub", one, each), each, axis=1)
    return of_their_sum(writer, each, of_none=None if model.loss == "log_loss" and _divides_by_zero() else 1 / len(model.classes_))


@functools.cache
def _divides_by_zero() -> bool:
    """Whether the installed scikit-learn's probabilities are NaN where none of the classes has any; newer ones give each the same share."""
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(loss="log_loss", max_iter=1, tol=None).fit(np.zeros((3, 1)), range(3))
    model.intercept_ = np.full(3, -1000.0)
    with np.errstate(invalid="ignore"):
        return bool(np.isnan(model.predict_proba(np.zeros((1, 1)))).all())


def write_ridge(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a RidgeClassifier: rows [batch, features] in, label [batch] and scores [batch, classes] out.

    ONNX's own operator for it gives no scores of float64.
    """
    if not type(operator.inputs[0].type).__name__.startswith("Double"):
        leave_to_skl2onnx(scope, operator, container)
        return
    model = operator.raw_operator
    writer = NodeWriter(scope.get_unique_operator_name("ridge"))
    score = _score(writer, operator, model.coef_, np.zeros(len(np.atleast_2d(model.coef_))) + model.intercept_)
    both = writer.add("Concat", writer.add("Neg", score), score, axis=1) if len(model.classes_) == 2 else score
    name_class(writer, operator, writer.add("ArgMax", both, axis=1, keepdims=0))
    writer.add("Cast", both, output=operator.outputs[1].full_name, to=operator.outputs[1].type.to_onnx_type().tensor_type.elem_type)
    writer.put_into(container)


def write_one_class(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of an SGDOneClassSVM: rows [batch, features] in, 1 or -1 [batch] and the score [batch, 1] out; a score of 0 is a 1."""
    model = operator.raw_operator
    writer = NodeWriter(scope.get_unique_operator_name("one_class"))
    score = _score(writer, operator, model.coef_, -np.ravel(model.offset_))
    inside = writer.add("GreaterOrEqual", score, writer.constant("zero", np.float64(0)))
    signs = writer.add("Where", inside, writer.constant("inlier", np.array(1)), writer.constant("outlier", np.array(-1)))
    writer.add("Reshape", signs, writer.constant("flat", np.array([-1])), output=operator.outputs[0].full_name)
    writer.add("Cast", score, output=operator.outputs[1].full_name, to=TensorProto.FLOAT)
    writer.put_into(container)


def shape_of_one_class(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    operator.outputs[0].type, operator.outputs[1].type = Int64TensorType([None]), FloatTensorType([None, 1])


def _score(writer: NodeWriter, operator: Any, weights: Any, offsets: Any) -> str:
    """[batch, lines]."""
    rows = given_rows(writer, operator)
    lines = np.asarray(weights, np.float64).reshape(len(offsets), -1)
    return writer.add("Gemm", rows, writer.constant("lines", lines), writer.constant("offsets", np.asarray(offsets, np.float64)), transB=1)
