"""Distances from rows to the rows that a scikit-learn model was fitted on, as plain operators in float64, as it computes them.

A matrix product gives Euclidean ones of many rows at once, but rounds by the size of the rows, not of the distance. Where that would show, the
differences are taken row by row.
"""

from __future__ import annotations

from collections.abc import Callable
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
#: By how much of what they are divided by the product may round squared distances.
_ROUNDED: Final = 1e-12
#: Of the largest square of a row, by how much the product rounds: two squares and twice a product.
_STEPS: Final = 4 * float(np.finfo(np.float64).eps)
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
    squared = squared_distances(writer, rows, *training_rows(writer, model), unit=getattr(model, "radius", 1.0) ** 2)
    return squared if model.effective_metric_ == "sqeuclidean" else writer.add("Sqrt", squared)


def squared_distances(writer: NodeWriter, rows: str, values: Array, stored: str, *, unit: float = 1.0) -> str:
    """[batch, points] to the points ``values``, which the graph has as ``stored``; right to a tiny part of ``unit``."""
    if rounding(values - values.mean(axis=0)) > _ROUNDED * unit:
        return by_differences(writer, rows, stored, values.shape)
    rows, _, near = euclidean(writer, rows, values, stored)
    whole = writer.add("Add", near, writer.add("ReduceSumSquare", rows, _axis(writer, 1), keepdims=1))
    return writer.add("Max", whole, writer.constant("least", np.float64(0)))


def by_differences(writer: NodeWriter, rows: str, stored: str, shape: tuple[int, ...]) -> str:
    """The same for points [points, features] of any size, as right as the rows themselves."""

    def squared(body: NodeWriter, apart: str) -> str:
        return body.add("ReduceSumSquare", apart, _axis(writer, 1), keepdims=0)

    return _row_by_row(writer, rows, stored, shape, squared)


def rounding(points: Array) -> float:
    """By how much a product rounds squared distances to rows that are as large as these [points, features]."""
    return _STEPS * float((points**2).sum(axis=1).max(initial=0))


def euclidean(writer: NodeWriter, rows: str, values: Array, stored: str) -> tuple[str, str, str]:
    """The rows and the points about the middle of these, where a product loses least, and squared distances less the rows' own squares."""
    middle = values.mean(axis=0)
    rows, points = (writer.add("Sub", name, writer.constant(f"middle_{at}", middle)) for at, name in enumerate((rows, stored)))
    squares = writer.constant("squares", ((values - middle) ** 2).sum(axis=1))
    return rows, points, writer.add("Gemm", rows, points, squares, alpha=-2.0, transB=1)


def training_rows(writer: NodeWriter, model: Any) -> tuple[Array, str]:
    """They, and in the graph in float64: stored as they are, for those of float32 take half."""
    given = model._fit_X  # noqa: SLF001
    values = np.asarray(given.toarray() if hasattr(given, "toarray") else given)
    stored = writer.constant("points", values if values.dtype == np.float32 else values.astype(np.float64))
    return values.astype(np.float64), writer.add("Cast", stored, to=TensorProto.DOUBLE)


def _cosine(writer: NodeWriter, model: Any, rows: str) -> str:
    _, stored = training_rows(writer, model)
    return writer.add("Gemm", _unit(writer, rows), _unit(writer, stored), writer.constant("whole", np.ones(1)), alpha=-1.0, transB=1)


def _unit(writer: NodeWriter, rows: str) -> str:
    """Rows of length 1; those of 0 stay."""
    length = writer.add("ReduceL2", rows, _axis(writer, 1), keepdims=1)
    none = writer.add("Equal", length, writer.constant(f"{rows}_none", np.float64(0)))
    return writer.add("Div", rows, writer.add("Where", none, writer.constant(f"{rows}_one", np.float64(1)), length))


def _minkowski(writer: NodeWriter, model: Any, rows: str) -> str:
    values, stored = training_rows(writer, model)
    exponent = _EXPONENTS.get(model.effective_metric_) or float(model.effective_metric_params_["p"])
    axis = _axis(writer, 1)

    def length(body: NodeWriter, difference: str) -> str:
        apart = body.add("Abs", difference)
        if np.isinf(exponent):
            return body.add("ReduceMax", apart, axis, keepdims=0)
        if exponent == 1:
            return body.add("ReduceSum", apart, axis, keepdims=0)
        power = writer.constant("power", np.float64(exponent))
        total = body.add("ReduceSum", body.add("Pow", apart, power), axis, keepdims=0)
        return body.add("Pow", total, writer.constant("root", np.float64(1 / exponent)))

    return _row_by_row(writer, rows, stored, values.shape, length)


def _row_by_row(writer: NodeWriter, rows: str, stored: str, shape: tuple[int, ...], length: Callable[[NodeWriter, str], str]) -> str:
    """[batch, points] of what ``length`` makes of differences [points, features]; those of all rows at once would take too much memory."""
    body = NodeWriter(f"{writer.prefix}_row")
    result = length(body, body.add("Sub", f"{writer.prefix}_given", stored))
    ins = [helper.make_tensor_value_info(f"{writer.prefix}_given", TensorProto.DOUBLE, [shape[1]])]
    outs = [helper.make_tensor_value_info(result, TensorProto.DOUBLE, [shape[0]])]
    return writer.add("Scan", rows, num_scan_inputs=1, body=helper.make_graph(body.nodes, "row_distances", ins, outs))


def inverse(writer: NodeWriter, distances: str) -> str:
    """The weights that belong to distances, one through each; where some of a row are 0, those alone count."""
    zero = writer.add("Equal", distances, writer.constant(f"{distances}_zero", np.float64(0)))
    mask = writer.add("Cast", zero, to=TensorProto.DOUBLE)
    some = writer.add("Cast", writer.add("ReduceMax", mask, _axis(writer, 1), keepdims=1), to=TensorProto.BOOL)
    return writer.add("Where", some, mask, writer.add("Reciprocal", distances))


def _axis(writer: NodeWriter, axis: int) -> str:
    return writer.constant(f"axis_{len(writer.initializers)}", np.array([axis]))
