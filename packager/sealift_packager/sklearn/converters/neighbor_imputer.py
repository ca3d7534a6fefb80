"""scikit-learn's KNNImputer as plain operators in float64, its training rows with gaps of their own too, which skl2onnx has no form for."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.source import Array
from sealift_packager.sklearn.converters.distances import given_rows, inverse, refused


def write_neighbor_imputer(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a KNNImputer: rows [batch, features] in, those that it keeps and the indicated gaps [batch, features out] out."""
    model = operator.raw_operator
    if model.metric != "nan_euclidean" or model.weights not in ("uniform", "distance"):
        expected = "metric: 'nan_euclidean'; weights: 'uniform' or 'distance'"
        raise refused(model, "an option that has no ONNX form", expected, f"{model.metric}, {model.weights}")
    writer = NodeWriter(scope.get_unique_operator_name("neighbor_imputer"))
    rows, missing = given_rows(writer, operator), model.missing_values
    gaps = writer.add("IsNaN", rows) if missing != missing else writer.add("Equal", rows, writer.constant("missing", np.float64(missing)))
    values = _training_rows(model)
    distances = _distances(writer, rows, gaps, values)
    columns = [_imputed(writer, distances, values, column, model) for column in np.flatnonzero(_kept(model)).tolist()]
    kept = writer.constant("kept", np.flatnonzero(_kept(model)))
    given = writer.add("Gather", rows, kept, axis=1)
    filled = writer.add("Where", writer.add("Gather", gaps, kept, axis=1), writer.add("Concat", *columns, axis=1), given)
    empty = writer.constant("empty", np.isnan(values[:, _kept(model)]).all(axis=0, keepdims=True))
    parts = [writer.add("Where", empty, writer.constant("null", np.float64(0)), filled)]
    if model.add_indicator:
        marks = writer.add("Gather", gaps, writer.constant("indicated", np.asarray(model.indicator_.features_, np.int64)), axis=1)
        parts.append(writer.add("Cast", marks, to=TensorProto.DOUBLE))
    element_type = operator.outputs[0].type.to_onnx_type().tensor_type.elem_type
    writer.add("Cast", writer.add("Concat", *parts, axis=1), output=operator.outputs[0].full_name, to=element_type)
    writer.put_into(container)


def shape_of_neighbor_imputer(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    model = operator.raw_operator
    width = int(_kept(model).sum()) + (len(model.indicator_.features_) if model.add_indicator else 0)
    double = any(isinstance(variable.type, DoubleTensorType) for variable in operator.inputs)
    operator.outputs[0].type = (DoubleTensorType if double else FloatTensorType)([None, width])


def _kept(model: Any) -> Array:
    valid: Array = np.asarray(model._valid_mask, dtype=bool)  # noqa: SLF001
    return valid | bool(model.keep_empty_features)


def _training_rows(model: Any) -> Array:
    """[training rows, features], gaps as NaN."""
    rows = np.array(model._fit_X, np.float64)  # noqa: SLF001
    rows[np.asarray(model._mask_fit_X, dtype=bool)] = np.nan  # noqa: SLF001
    return rows


def _distances(writer: NodeWriter, rows: str, gaps: str, values: Array) -> str:
    """Squared distances [batch, training rows] over what both have, made up to all features; infinite where they have nothing in common."""
    zero = writer.constant("zero_value", np.float64(0))
    filled, present = np.nan_to_num(values), (~np.isnan(values)).astype(np.float64)
    given = writer.add("Where", gaps, zero, rows)
    mask = writer.add("Cast", writer.add("Not", gaps), to=TensorProto.DOUBLE)
    training_mask = writer.constant("present", present.T)
    squares = writer.add("MatMul", writer.add("Mul", given, given), training_mask)
    cross = writer.add("MatMul", given, writer.constant("twice", -2 * filled.T))
    other = writer.add("MatMul", mask, writer.constant("squares", (filled**2).T))
    squared = writer.add("Max", writer.add("Add", writer.add("Add", squares, cross), other), zero)
    count = writer.add("MatMul", mask, training_mask)
    scaled = writer.add("Mul", writer.add("Div", squared, count), writer.constant("features", np.float64(values.shape[1])))
    return writer.add("Where", writer.add("Equal", count, zero), writer.constant("far", np.float64(np.inf)), scaled)


def _imputed(writer: NodeWriter, distances: str, values: Array, column: int, model: Any) -> str:
    """[batch, 1]: what the nearest rows that have this column give it, or its mean where none has anything in common."""
    name = f"column_{column}"
    donors = np.flatnonzero(~np.isnan(values[:, column]))
    donors = donors if len(donors) else np.array([0])  # of a column that is kept although it was empty: whatever comes out becomes 0
    near = writer.add("Gather", distances, writer.constant(f"{name}_donors", donors), axis=1)
    count = writer.constant(f"{name}_count", np.array([min(model.n_neighbors, len(donors))]))
    nearest, places = writer.least(near, count, name)
    if model.weights == "distance":
        weights = inverse(writer, writer.add("Sqrt", nearest))
    else:
        weights = writer.add("Cast", writer.add("Not", writer.add("IsInf", nearest)), to=TensorProto.DOUBLE)
    axis = writer.constant(f"{name}_axis", np.array([1]))
    given = writer.add("Gather", writer.constant(f"{name}_values", np.nan_to_num(values[donors, column])), places)
    total = writer.add("ReduceSum", writer.add("Mul", weights, given), axis, keepdims=1)
    weight = writer.add("ReduceSum", weights, axis, keepdims=1)
    none = writer.add("Equal", weight, writer.constant(f"{name}_none", np.float64(0)))
    return writer.add("Where", none, writer.constant(f"{name}_mean", np.nan_to_num(values[donors, column]).mean()), writer.add("Div", total, weight))
