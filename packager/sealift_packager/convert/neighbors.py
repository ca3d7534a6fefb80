"""scikit-learn's k nearest neighbours as plain operators in float64, as it computes: who is near decides, and skl2onnx weighs all neighbours alike.

Euclidean distances are sought by one matrix product, and those of the nearest are computed anew from differences: the product leaves noise.
Of neighbours that are equally far the first one of the training rows counts; scikit-learn's choice there depends on how it searched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from onnx import TensorProto, helper

from sealift_packager.convert.labels import label_type, label_values
from sealift_packager.convert.nodes import NodeWriter
from sealift_packager.errors import ConversionError
from sealift_packager.load.source import Array

#: As many as are looked at anew beyond those that are wanted, at least.
_SPARE: Final = 16
#: Of training rows, sparse ones written out: 1 GiB of float64.
_MAX_VALUES: Final = 2**27
_EUCLIDEAN: Final = frozenset(("euclidean", "l2", "sqeuclidean"))
#: Metric → the exponent of Minkowski's.
_EXPONENTS: Final = {"manhattan": 1.0, "cityblock": 1.0, "l1": 1.0, "chebyshev": np.inf, "infinity": np.inf}


def write_neighbors_classifier(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a KNeighborsClassifier: rows [batch, features] in, label [batch] and probabilities [batch, classes] out."""
    model = operator.raw_operator
    writer = NodeWriter(scope.get_unique_operator_name("neighbors"))
    nearest, weights = _neighbors(writer, operator)
    last = writer.constant("last", np.array([2]))
    found = writer.add("Unsqueeze", writer.add("Gather", writer.constant("labels", model._y.astype(np.int64)), nearest), last)  # noqa: SLF001
    same = writer.add("Cast", writer.add("Equal", found, writer.constant("numbers", np.arange(len(model.classes_)))), to=TensorProto.DOUBLE)
    votes = writer.add("ReduceSum", writer.add("Mul", same, weights), writer.constant("neighbors", np.array([1])), keepdims=0)
    best = writer.add("ArgMax", votes, axis=1, keepdims=0)
    writer.add("Gather", writer.constant("classes", label_values(model.classes_)), best, output=operator.outputs[0].full_name)
    total = writer.add("ReduceSum", votes, writer.constant("all", np.array([1])), keepdims=1)
    writer.add("Cast", writer.add("Div", votes, total), output=operator.outputs[1].full_name, to=_kind(operator))
    writer.put_into(container)


def write_neighbors_regressor(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a KNeighborsRegressor: rows [batch, features] in, [batch, targets] out."""
    writer = NodeWriter(scope.get_unique_operator_name("neighbors"))
    nearest, weights = _neighbors(writer, operator)
    axis = writer.constant("neighbors", np.array([1]))
    targets = writer.constant("targets", _targets(operator.raw_operator))
    total = writer.add("ReduceSum", writer.add("Mul", writer.add("Gather", targets, nearest), weights), axis, keepdims=0)
    mean = writer.add("Div", total, writer.add("ReduceSum", weights, axis, keepdims=0))
    writer.add("Cast", mean, output=operator.outputs[0].full_name, to=_kind(operator))
    writer.put_into(container)


def shape_of_neighbors_classifier(operator: Any) -> None:
    """skl2onnx's shape calculator of a KNeighborsClassifier."""
    classes = operator.raw_operator.classes_
    operator.outputs[0].type = label_type(classes)
    operator.outputs[1].type = _type(operator)([None, len(classes)])


def shape_of_neighbors_regressor(operator: Any) -> None:
    """skl2onnx's shape calculator of a KNeighborsRegressor."""
    operator.outputs[0].type = _type(operator)([None, _targets(operator.raw_operator).shape[1]])


def _targets(model: Any) -> Array:
    """[training rows, targets]."""
    values: Array = np.asarray(model._y, np.float64).reshape(model.n_samples_fit_, -1)  # noqa: SLF001
    return values


def _type(operator: Any) -> Any:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return DoubleTensorType if any(isinstance(row.type, DoubleTensorType) for row in operator.inputs) else FloatTensorType


def _kind(operator: Any) -> int:
    return int(operator.outputs[-1].type.to_onnx_type().tensor_type.elem_type)


def _neighbors(writer: NodeWriter, operator: Any) -> tuple[str, str]:
    """The neighbours' numbers [batch, neighbours] and their weights [batch, neighbours, 1]; `ConversionError` for a weight that is a function."""
    model = operator.raw_operator
    if model.weights not in (None, "uniform", "distance"):
        raise _refused(model, "weights that are a function", "weights: 'uniform' or 'distance'", str(model.weights))
    rows = writer.add("Concat", *(writer.add("Cast", row.full_name, to=TensorProto.DOUBLE) for row in operator.inputs), axis=1)
    distances, nearest = _search(model)(writer, model, rows)
    last = writer.constant("weight", np.array([2]))
    if model.weights == "distance":
        return nearest, writer.add("Unsqueeze", _weights(writer, distances), last)
    one = helper.make_tensor("one", TensorProto.DOUBLE, [1], [1.0])
    return nearest, writer.add("Unsqueeze", writer.add("ConstantOfShape", writer.add("Shape", nearest), value=one), last)


def _weights(writer: NodeWriter, distances: str) -> str:
    """One through the distance; where some are 0, those alone count."""
    zero = writer.add("Equal", distances, writer.constant("zero", np.float64(0)))
    mask = writer.add("Cast", zero, to=TensorProto.DOUBLE)
    some = writer.add("Cast", writer.add("ReduceMax", mask, writer.constant("any", np.array([1])), keepdims=1), to=TensorProto.BOOL)
    return writer.add("Where", some, mask, writer.add("Reciprocal", distances))


def _search(model: Any) -> Callable[[NodeWriter, Any, str], tuple[str, str]]:
    """What finds a model's neighbours by its metric; `ConversionError` for one that has no form here."""
    metric = model.effective_metric_
    if {name for name, value in (model.effective_metric_params_ or {}).items() if value is not None} <= {"p"}:
        if metric in _EUCLIDEAN:
            return _euclidean
        if metric == "cosine":
            return _cosine
        if metric == "minkowski" or metric in _EXPONENTS:
            return _minkowski
    metrics = ", ".join(sorted({"minkowski", "cosine", *_EUCLIDEAN, *_EXPONENTS}))
    raise _refused(model, "a metric that has no ONNX form", f"{metrics}; of metric_params only p", f"{metric}, {model.effective_metric_params_}")


def _refused(model: Any, what: str, expected: str, found: str) -> ConversionError:
    advice = "Fit it with one of these."
    return ConversionError(what, where=type(model).__name__, expected=expected, found=found, advice=advice)


def _points(writer: NodeWriter, model: Any) -> tuple[Array, str]:
    """The training rows, and them in the graph in float64: stored as they are, for those of float32 take half."""
    given = model._fit_X  # noqa: SLF001
    if given.shape[0] * given.shape[1] > _MAX_VALUES:
        raise _refused(model, "too many training rows", f"at most {_MAX_VALUES:,} values", f"{given.shape[0]:,} rows of {given.shape[1]:,}")
    points = np.asarray(given.toarray() if hasattr(given, "toarray") else given)
    stored = writer.constant("points", points if points.dtype == np.float32 else points.astype(np.float64))
    return points.astype(np.float64), writer.add("Cast", stored, to=TensorProto.DOUBLE)


def _euclidean(writer: NodeWriter, model: Any, rows: str) -> tuple[str, str]:
    points, stored = _points(writer, model)
    product = writer.add("Gemm", rows, stored, writer.constant("squares", (points**2).sum(axis=1)), alpha=-2.0, transB=1)
    count = min(len(points), model.n_neighbors + max(model.n_neighbors, _SPARE))
    order, _ = _least(writer, _least(writer, product, count)[1], count)
    between = writer.add("Sub", writer.add("Unsqueeze", rows, writer.constant("middle", np.array([1]))), writer.add("Gather", stored, order))
    squared = writer.add("ReduceSumSquare", between, writer.constant("features", np.array([2])), keepdims=0)
    found, places = _least(writer, squared, model.n_neighbors)
    distances = found if model.effective_metric_ == "sqeuclidean" else writer.add("Sqrt", found)
    return distances, writer.add("GatherElements", order, places, axis=1)


def _cosine(writer: NodeWriter, model: Any, rows: str) -> tuple[str, str]:
    _, stored = _points(writer, model)
    product = writer.add("Gemm", _unit(writer, rows), _unit(writer, stored), writer.constant("one", np.ones(1)), alpha=-1.0, transB=1)
    return _least(writer, writer.add("Max", product, writer.constant("none", np.float64(0))), model.n_neighbors)


def _unit(writer: NodeWriter, rows: str) -> str:
    """Rows of length 1; those of 0 stay."""
    length = writer.add("ReduceL2", rows, writer.constant(f"{rows}_axis", np.array([1])), keepdims=1)
    null = writer.add("Equal", length, writer.constant(f"{rows}_null", np.float64(0)))
    return writer.add("Div", rows, writer.add("Where", null, writer.constant(f"{rows}_one", np.float64(1)), length))


def _minkowski(writer: NodeWriter, model: Any, rows: str) -> tuple[str, str]:
    """Row by row: the differences of all at once would take [batch, training rows, features]."""
    points, stored = _points(writer, model)
    exponent = _EXPONENTS.get(model.effective_metric_) or float(model.effective_metric_params_["p"])
    body = NodeWriter(f"{writer.prefix}_row")
    apart = body.add("Abs", body.add("Sub", "row", stored))
    axis = writer.constant("columns", np.array([1]))
    if np.isinf(exponent):
        found = body.add("ReduceMax", apart, axis, keepdims=0)
    elif exponent == 1:
        found = body.add("ReduceSum", apart, axis, keepdims=0)
    else:
        power = writer.constant("power", np.float64(exponent))
        total = body.add("ReduceSum", body.add("Pow", apart, power), axis, keepdims=0)
        found = body.add("Pow", total, writer.constant("root", np.float64(1 / exponent)))
    ins = [helper.make_tensor_value_info("row", TensorProto.DOUBLE, [points.shape[1]])]
    outs = [helper.make_tensor_value_info(found, TensorProto.DOUBLE, [len(points)])]
    distances = writer.add("Scan", rows, num_scan_inputs=1, body=helper.make_graph(body.nodes, "row_distances", ins, outs))
    return _least(writer, distances, model.n_neighbors)


def _least(writer: NodeWriter, values: str, count: int) -> tuple[str, str]:
    """The least ``count`` values of each row, in order, and their places."""
    found, places = f"{values}_least", f"{values}_places"
    number = writer.constant(f"{values}_count", np.array([count]))
    writer.nodes.append(helper.make_node("TopK", [values, number], [found, places], name=f"{values}_TopK", axis=1, largest=0, sorted=1))
    return found, places
