"""Distances from rows to the rows that a scikit-learn model was fitted on, as plain operators in float64, as it computes them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from onnx import TensorProto, helper

from sealift_packager.errors import ConversionError
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.source import Array

#: Of training rows, sparse ones written out: 1 GiB of float64.
_MAX_VALUES: Final = 2**27
#: Those that one matrix product gives.
EUCLIDEAN: Final = frozenset(("euclidean", "l2", "sqeuclidean"))
#: Metric → the exponent of Minkowski's.
_EXPONENTS: Final = {"manhattan": 1.0, "cityblock": 1.0, "l1": 1.0, "chebyshev": np.inf, "infinity": np.inf}


def check_neighbors(model: Any) -> None:
    """Raise `ConversionError` for a metric, weights or a number of training rows that has no form here."""
    if model.weights not in (None, "uniform", "distance"):
        raise refused(model, "weights given as a function have no ONNX form", "weights: 'uniform' or 'distance'", str(model.weights))
    options = {name: value for name, value in (model.effective_metric_params_ or {}).items() if value is not None}
    metrics = {"minkowski", "cosine", *EUCLIDEAN, *_EXPONENTS}
    if model.effective_metric_ not in metrics or set(options) - {"p"}:
        expected = f"{', '.join(sorted(metrics))}; of metric_params only p"
        raise refused(model, "a metric that has no ONNX form", expected, f"{model.effective_metric_}, {options}")
    rows, columns = model._fit_X.shape  # noqa: SLF001
    if rows * columns > _MAX_VALUES:
        raise refused(model, "too many training rows", f"at most {_MAX_VALUES:,} values", f"{rows:,} rows of {columns:,}")


def refused(model: Any, what: str, expected: str, found: str) -> ConversionError:
    """The error about an option of a model."""
    return ConversionError(what, where=type(model).__name__, expected=expected, found=found, advice="Fit it with one of these.")


def given_rows(writer: NodeWriter, operator: Any) -> str:
    """An operator's rows [batch, features] in float64."""
    return writer.add("Concat", *(writer.add("Cast", variable.full_name, to=TensorProto.DOUBLE) for variable in operator.inputs), axis=1)


def distances(writer: NodeWriter, model: Any, rows: str) -> str:
    """[batch, training rows]."""
    zero = writer.constant("null", np.float64(0))
    if model.effective_metric_ == "cosine":
        return writer.add("Max", _cosine(writer, model, rows), zero)
    if model.effective_metric_ not in EUCLIDEAN:
        return _minkowski(writer, model, rows)
    squared = squared_distances(writer, rows, *_training_rows(writer, model))
    return squared if model.effective_metric_ == "sqeuclidean" else writer.add("Sqrt", squared)


def squared_distances(writer: NodeWriter, rows: str, values: Array, stored: str) -> str:
    """[batch, points] to the points ``values``, which the graph has as ``stored``."""
    rows, _, near = _about_the_middle(writer, rows, values, stored)
    whole = writer.add("Add", near, writer.add("ReduceSumSquare", rows, _axis(writer, 1), keepdims=1))
    return writer.add("Max", whole, writer.constant("least", np.float64(0)))


def euclidean(writer: NodeWriter, model: Any, rows: str) -> tuple[str, str, str]:
    """The rows and the training rows about the middle of these, where a product loses least, and squared distances less the rows' own squares."""
    return _about_the_middle(writer, rows, *_training_rows(writer, model))


def _about_the_middle(writer: NodeWriter, rows: str, values: Array, stored: str) -> tuple[str, str, str]:
    middle = values.mean(axis=0)
    rows, points = (writer.add("Sub", name, writer.constant(f"middle_{at}", middle)) for at, name in enumerate((rows, stored)))
    squares = writer.constant("squares", ((values - middle) ** 2).sum(axis=1))
    return rows, points, writer.add("Gemm", rows, points, squares, alpha=-2.0, transB=1)


def _training_rows(writer: NodeWriter, model: Any) -> tuple[Array, str]:
    """They, and in the graph in float64: stored as they are, for those of float32 take half."""
    given = model._fit_X  # noqa: SLF001
    values = np.asarray(given.toarray() if hasattr(given, "toarray") else given)
    stored = writer.constant("points", values if values.dtype == np.float32 else values.astype(np.float64))
    return values.astype(np.float64), writer.add("Cast", stored, to=TensorProto.DOUBLE)


def _cosine(writer: NodeWriter, model: Any, rows: str) -> str:
    _, stored = _training_rows(writer, model)
    return writer.add("Gemm", _unit(writer, rows), _unit(writer, stored), writer.constant("whole", np.ones(1)), alpha=-1.0, transB=1)


def _unit(writer: NodeWriter, rows: str) -> str:
    """Rows of length 1; those of 0 stay."""
    length = writer.add("ReduceL2", rows, _axis(writer, 1), keepdims=1)
    none = writer.add("Equal", length, writer.constant(f"{rows}_none", np.float64(0)))
    return writer.add("Div", rows, writer.add("Where", none, writer.constant(f"{rows}_one", np.float64(1)), length))


def _minkowski(writer: NodeWriter, model: Any, rows: str) -> str:
    """Row by row: the differences of all at once would take [batch, training rows, features]."""
    values, stored = _training_rows(writer, model)
    exponent = _EXPONENTS.get(model.effective_metric_) or float(model.effective_metric_params_["p"])
    body = NodeWriter(f"{writer.prefix}_row")
    apart = body.add("Abs", body.add("Sub", f"{writer.prefix}_given", stored))
    axis = _axis(writer, 1)
    if np.isinf(exponent):
        distance = body.add("ReduceMax", apart, axis, keepdims=0)
    elif exponent == 1:
        distance = body.add("ReduceSum", apart, axis, keepdims=0)
    else:
        power = writer.constant("power", np.float64(exponent))
        total = body.add("ReduceSum", body.add("Pow", apart, power), axis, keepdims=0)
        distance = body.add("Pow", total, writer.constant("root", np.float64(1 / exponent)))
    ins = [helper.make_tensor_value_info(f"{writer.prefix}_given", TensorProto.DOUBLE, [values.shape[1]])]
    outs = [helper.make_tensor_value_info(distance, TensorProto.DOUBLE, [len(values)])]
    return writer.add("Scan", rows, num_scan_inputs=1, body=helper.make_graph(body.nodes, "row_distances", ins, outs))


def inverse(writer: NodeWriter, distances: str) -> str:
    """The weights that belong to distances, one through each; where some of a row are 0, those alone count."""
    zero = writer.add("Equal", distances, writer.constant(f"{distances}_zero", np.float64(0)))
    mask = writer.add("Cast", zero, to=TensorProto.DOUBLE)
    some = writer.add("Cast", writer.add("ReduceMax", mask, _axis(writer, 1), keepdims=1), to=TensorProto.BOOL)
    return writer.add("Where", some, mask, writer.add("Reciprocal", distances))


def _axis(writer: NodeWriter, axis: int) -> str:
    return writer.constant(f"axis_{len(writer.initializers)}", np.array([axis]))
