"""scikit-learn's neighbours within a radius as plain operators in float64: skl2onnx's graph fails where a row has fewer than all."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.labels import label_values
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.distances import check_neighbors, distances, given_rows, inverse, refused
from sealift_packager.sklearn.converters.neighbors import element_type, targets_of


def write_radius_classifier(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a RadiusNeighborsClassifier: rows [batch, features] in, label [batch] and probabilities [batch, classes] out.

    A row without neighbours gets the label of outliers; `ConversionError` where there is none, for scikit-learn refuses such a row.
    """
    model = operator.raw_operator
    if model.outlier_label_ is None:
        raise refused(model, "rows without neighbours have no label", "outlier_label: a class or 'most_frequent'", "None")
    count, outlier = len(model.classes_), np.ravel(model.outlier_label_)[0]
    writer = NodeWriter(scope.get_unique_operator_name("radius"))
    votes = writer.add("MatMul", _weights(writer, operator), writer.constant("votes", np.eye(count)[model._y.astype(np.int64)]))  # noqa: SLF001
    total = writer.add("ReduceSum", votes, writer.constant("all", np.array([1])), keepdims=1)
    alone = writer.add("Equal", total, writer.constant("none", np.float64(0)))
    share = writer.add(
        "Where", alone, writer.constant("of_outliers", (model.classes_ == outlier).astype(np.float64)), writer.add("Div", votes, total)
    )
    best = writer.add("ArgMax", votes, axis=1, keepdims=1)
    number = writer.add("Where", alone, writer.constant("last", np.array(count)), best)
    classes = writer.constant("classes", label_values(np.append(model.classes_, outlier)))
    writer.add("Gather", classes, writer.add("Reshape", number, writer.constant("flat", np.array([-1]))), output=operator.outputs[0].full_name)
    writer.add("Cast", share, output=operator.outputs[1].full_name, to=element_type(operator))
    writer.put_into(container)


def write_radius_regressor(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a RadiusNeighborsRegressor: rows [batch, features] in, [batch, targets] out, NaN for a row without neighbours."""
    writer = NodeWriter(scope.get_unique_operator_name("radius"))
    weights = _weights(writer, operator)
    total = writer.add("MatMul", weights, writer.constant("targets", targets_of(operator.raw_operator)))
    mean = writer.add("Div", total, writer.add("ReduceSum", weights, writer.constant("all", np.array([1])), keepdims=1))
    writer.add("Cast", mean, output=operator.outputs[0].full_name, to=element_type(operator))
    writer.put_into(container)


def _weights(writer: NodeWriter, operator: Any) -> str:
    """What each training row weighs [batch, training rows]: 0 beyond the radius."""
    model = operator.raw_operator
    check_neighbors(model)
    lengths = distances(writer, model, given_rows(writer, operator))
    inside = writer.add("LessOrEqual", lengths, writer.constant("radius", np.float64(model.radius)))
    if model.weights != "distance":
        return writer.add("Cast", inside, to=TensorProto.DOUBLE)
    return writer.add("Where", inside, inverse(writer, lengths), writer.constant("beyond", np.float64(0)))
