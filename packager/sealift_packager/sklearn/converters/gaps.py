"""scikit-learn's MissingIndicator as plain operators: 1 where a value is missing, in the columns that had gaps when it was fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.errors import ConversionError
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.columns import is_text, numbers_type


def write_gaps(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of it: numbers [batch, features] in, 0 or 1 [batch, features out] out."""
    indicator = operator.raw_operator
    if any(map(is_text, operator.inputs)):
        raise ConversionError(
            "an indicator of missing text has no ONNX form",
            where="MissingIndicator",
            expected="columns of numbers",
            found="columns of text",
            advice="Fill the gaps with a word of their own (SimpleImputer, strategy='constant') before an encoder: that is a category then.",
        )
    writer = NodeWriter(scope.get_unique_operator_name("gaps"))
    double = any(type(variable.type).__name__.startswith("Double") for variable in operator.inputs)
    dtype, element_type = (np.float64, TensorProto.DOUBLE) if double else (np.float32, TensorProto.FLOAT)
    rows = writer.add("Concat", *(writer.add("Cast", variable.full_name, to=element_type) for variable in operator.inputs), axis=1)
    missing = indicator.missing_values
    gaps = writer.add("IsNaN", rows) if missing != missing else writer.add("Equal", rows, writer.constant("missing", np.array(missing, dtype)))
    marks = writer.add("Gather", gaps, writer.constant("indicated", np.asarray(indicator.features_, np.int64)), axis=1)
    writer.add("Cast", marks, output=operator.outputs[0].full_name, to=element_type)
    writer.put_into(container)


def shape_of_gaps(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = numbers_type(operator.inputs, [None, len(operator.raw_operator.features_)])
