"""scikit-learn's linear models that skl2onnx gives another function or shape, as plain operators in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.labels import label_type, label_values
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.distances import given_rows
from sealift_packager.sklearn.converters.inner_trees import wants_scores


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
