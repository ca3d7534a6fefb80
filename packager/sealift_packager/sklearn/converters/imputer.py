"""scikit-learn's SimpleImputer as plain operators, but for one of text that fills all its columns, or has indicators (`table_steps`).

onnxruntime's Imputer knows float32 only, and has no indicator columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.source import Array

_ALIAS = "SklearnSimpleImputer"


def write_imputer(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a SimpleImputer; text is left to its own one, unless some columns keep their gaps."""
    from skl2onnx.common._registration import get_converter

    imputer = operator.raw_operator
    if _is_text(operator):
        if getattr(imputer, "kept_gaps", ()):
            _write_texts(scope, operator, container)
        else:
            get_converter(_ALIAS)(scope, operator, container)
        return
    writer = NodeWriter(scope.get_unique_operator_name("imputer"))
    double = _is_double(operator)
    dtype, element_type = (np.float64, TensorProto.DOUBLE) if double else (np.float32, TensorProto.FLOAT)
    rows = writer.add("Concat", *(writer.add("Cast", variable.full_name, to=element_type) for variable in operator.inputs), axis=1)
    missing = imputer.missing_values
    gaps = writer.add("IsNaN", rows) if missing != missing else writer.add("Equal", rows, writer.constant("missing", np.array(missing, dtype)))
    values = imputer.statistics_.astype(np.float64)
    filled = writer.add("Where", gaps, writer.constant("values", np.nan_to_num(values).astype(dtype).reshape(1, -1)), rows)
    parts = [writer.add("Gather", filled, writer.constant("kept", np.flatnonzero(_kept(imputer))), axis=1)]
    if imputer.add_indicator:
        marks = writer.add("Gather", gaps, writer.constant("indicated", np.asarray(imputer.indicator_.features_, np.int64)), axis=1)
        parts.append(writer.add("Cast", marks, to=element_type))
    writer.add("Concat", *parts, output=operator.outputs[0].full_name, axis=1)
    writer.put_into(container)


def _write_texts(scope: Any, operator: Any, container: Any) -> None:
    """Empty text becomes the column's own value, where the column doesn't keep its gaps."""
    imputer, writer = operator.raw_operator, NodeWriter(scope.get_unique_operator_name("imputer"))
    rows = writer.add("Concat", *(variable.full_name for variable in operator.inputs), axis=1)
    gaps = writer.add("LabelEncoder", rows, domain="ai.onnx.ml", keys_strings=[""], values_int64s=[1], default_int64=0)
    filling = np.array([[at not in imputer.kept_gaps for at in range(len(imputer.statistics_))]])
    values = np.array([[str(value) for value in imputer.statistics_]], dtype=object)
    filled = writer.add("And", writer.add("Cast", gaps, to=TensorProto.BOOL), writer.constant("filling", filling))
    writer.add("Where", filled, writer.constant("values", values), rows, output=operator.outputs[0].full_name)
    writer.put_into(container)


def shape_of_imputer(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    from skl2onnx.common._registration import get_shape_calculator
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    imputer = operator.raw_operator
    if _is_text(operator):
        get_shape_calculator(_ALIAS)(operator)
        return
    width = int(_kept(imputer).sum()) + (len(imputer.indicator_.features_) if imputer.add_indicator else 0)
    operator.outputs[0].type = (DoubleTensorType if _is_double(operator) else FloatTensorType)([None, width])


def _kept(imputer: Any) -> Array:
    """By column: it isn't dropped for having been empty when the imputer was fitted."""
    values = imputer.statistics_.astype(np.float64)
    return np.ones(len(values), dtype=bool) if imputer.strategy == "constant" or imputer.keep_empty_features else ~np.isnan(values)


def _is_text(operator: Any) -> bool:
    return type(operator.inputs[0].type).__name__.startswith("String")


def _is_double(operator: Any) -> bool:
    return any(type(variable.type).__name__.startswith("Double") for variable in operator.inputs)
