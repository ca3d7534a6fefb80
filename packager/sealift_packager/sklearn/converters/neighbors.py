"""scikit-learn's k nearest neighbours as plain operators in float64, as it computes: who is near decides, and skl2onnx weighs all neighbours alike.

Euclidean distances are sought by one matrix product, and those of the nearest are computed anew from differences: the product leaves noise. Where
that is so large that it hides who is near, all are computed from differences.
Of neighbours that are equally far the first one of the training rows counts; scikit-learn's choice there depends on how it searched.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from onnx import TensorProto, helper

from sealift_packager.graph.labels import label_type, label_values
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.source import Array
from sealift_packager.sklearn.converters.distances import (
    EUCLIDEAN,
    by_differences,
    check_neighbors,
    distances,
    euclidean,
    given_rows,
    inverse,
    rounding,
    training_rows,
)

#: As many as are looked at anew beyond those that are wanted, at least.
_SPARE: Final = 16
#: So many training rows show whether a product finds the neighbours.
_TRIED: Final = 64


def write_neighbors_classifier(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a KNeighborsClassifier: rows [batch, features] in, label [batch] and probabilities [batch, classes] out."""
    model = operator.raw_operator
    writer = NodeWriter(scope.get_unique_operator_name("neighbors"))
    nearest, weights = _neighbors(writer, operator)
    last = writer.constant("last", np.array([2]))
    labels = writer.add("Unsqueeze", writer.add("Gather", writer.constant("labels", model._y.astype(np.int64)), nearest), last)  # noqa: SLF001
    same = writer.add("Equal", labels, writer.constant("numbers", np.arange(len(model.classes_))))
    mask = writer.add("Cast", same, to=TensorProto.DOUBLE)
    votes = writer.add("ReduceSum", writer.add("Mul", mask, weights), writer.constant("neighbors", np.array([1])), keepdims=0)
    best = writer.add("ArgMax", votes, axis=1, keepdims=0)
    writer.add("Gather", writer.constant("classes", label_values(model.classes_)), best, output=operator.outputs[0].full_name)
    total = writer.add("ReduceSum", votes, writer.constant("all", np.array([1])), keepdims=1)
    writer.add("Cast", writer.add("Div", votes, total), output=operator.outputs[1].full_name, to=element_type(operator))
    writer.put_into(container)


def write_neighbors_regressor(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a KNeighborsRegressor: rows [batch, features] in, [batch, targets] out."""
    writer = NodeWriter(scope.get_unique_operator_name("neighbors"))
    nearest, weights = _neighbors(writer, operator)
    axis = writer.constant("neighbors", np.array([1]))
    targets = writer.constant("targets", targets_of(operator.raw_operator))
    total = writer.add("ReduceSum", writer.add("Mul", writer.add("Gather", targets, nearest), weights), axis, keepdims=0)
    mean = writer.add("Div", total, writer.add("ReduceSum", weights, axis, keepdims=0))
    writer.add("Cast", mean, output=operator.outputs[0].full_name, to=element_type(operator))
    writer.put_into(container)


def shape_of_neighbors_classifier(operator: Any) -> None:
    """skl2onnx's shape calculator of a classifier by neighbours."""
    classes = operator.raw_operator.classes_
    operator.outputs[0].type = label_type(classes)
    operator.outputs[1].type = _number_type(operator)([None, len(classes)])


def shape_of_neighbors_regressor(operator: Any) -> None:
    """skl2onnx's shape calculator of a regressor by neighbours."""
    operator.outputs[0].type = _number_type(operator)([None, targets_of(operator.raw_operator).shape[1]])


def targets_of(model: Any) -> Array:
    """[training rows, targets]."""
    values: Array = np.asarray(model._y, np.float64).reshape(model.n_samples_fit_, -1)  # noqa: SLF001
    return values


def element_type(operator: Any) -> int:
    """ONNX's element type of an operator's last output."""
    return int(operator.outputs[-1].type.to_onnx_type().tensor_type.elem_type)


def _number_type(operator: Any) -> Any:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return DoubleTensorType if any(isinstance(variable.type, DoubleTensorType) for variable in operator.inputs) else FloatTensorType


def _neighbors(writer: NodeWriter, operator: Any) -> tuple[str, str]:
    """The neighbours' numbers [batch, neighbours] and their weights [batch, neighbours, 1]."""
    model = operator.raw_operator
    check_neighbors(model)
    rows = given_rows(writer, operator)
    if model.effective_metric_ in EUCLIDEAN:
        lengths, nearest = _nearest(writer, model, rows)
    else:
        lengths, nearest = writer.least(distances(writer, model, rows), writer.constant("count", np.array([model.n_neighbors])), "nearest")
    last = writer.constant("weight", np.array([2]))
    if model.weights == "distance":
        return nearest, writer.add("Unsqueeze", inverse(writer, lengths), last)
    one = helper.make_tensor("one", TensorProto.DOUBLE, [1], [1.0])
    return nearest, writer.add("Unsqueeze", writer.add("ConstantOfShape", writer.add("Shape", nearest), value=one), last)


def _nearest(writer: NodeWriter, model: Any, rows: str) -> tuple[str, str]:
    """The least Euclidean distances and their places, both [batch, neighbours]."""
    values, stored = training_rows(writer, model)
    wanted = writer.constant("count", np.array([model.n_neighbors]))
    count = min(model.n_samples_fit_, model.n_neighbors + max(model.n_neighbors, _SPARE))
    if _hides(values, model.n_neighbors, count):
        squared, nearest = writer.least(by_differences(writer, rows, stored, values.shape), wanted, "nearest")
        return _length(writer, model, squared), nearest
    rows, points, near = euclidean(writer, rows, values, stored)
    candidates = writer.constant("candidates", np.array([count]))
    order, _ = writer.least(writer.least(near, candidates, "near")[1], candidates, "ordered")
    between = writer.add("Sub", writer.add("Unsqueeze", rows, writer.constant("middle", np.array([1]))), writer.add("Gather", points, order))
    lengths, places = writer.least(writer.add("ReduceSumSquare", between, writer.constant("features", np.array([2])), keepdims=0), wanted, "nearest")
    return _length(writer, model, lengths), writer.add("GatherElements", order, places, axis=1)


def _hides(values: Array, wanted: int, count: int) -> bool:
    """Whether a product rounds by so much that one of the nearest training rows [rows, columns] may not be among the first ``count``."""
    if count == len(values):
        return False
    noise = rounding(values - values.mean(axis=0))
    some = values[np.random.default_rng(0).permutation(len(values))[:_TRIED]]
    for row in some:
        squared = np.sort(((values - row) ** 2).sum(axis=1))
        behind = squared[count - 1] - squared[:wanted]
        if ((behind > 0) & (behind < 2 * noise)).any():
            return True
    return False


def _length(writer: NodeWriter, model: Any, squared: str) -> str:
    return squared if model.effective_metric_ == "sqeuclidean" else writer.add("Sqrt", squared)
