"""scikit-learn's StackingRegressor, whose members may take a table's columns or text: skl2onnx's takes one tensor of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.errors import ConversionError
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.columns import is_text
from sealift_packager.sklearn.converters.members import ask_regressor


def write_stacked_regressor(scope: Any, operator: Any, container: Any, *, double: bool) -> None:
    """skl2onnx's converter of it: the members' predictions, and the rows behind them if they pass through, into the final regressor."""
    model = operator.raw_operator
    if set(model.stack_method_) != {"predict"}:
        raise _refused("stack_method", "predict", ", ".join(sorted(set(model.stack_method_))))
    if model.passthrough and any(map(is_text, operator.inputs)):
        raise _refused("passthrough", "False, for a stack that is given text", "True")
    writer = NodeWriter(scope.get_unique_operator_name("stack"))
    element_type = TensorProto.DOUBLE if double else TensorProto.FLOAT
    shape = writer.constant("shape", np.array([-1, 1]))
    made = number_type(double)
    columns = [writer.add("Cast", ask_regressor(scope, member, operator.inputs, made([])), to=element_type) for member in model.estimators_]
    columns = [writer.add("Reshape", column, shape) for column in columns]
    columns += [writer.add("Cast", variable.full_name, to=element_type) for variable in operator.inputs] if model.passthrough else []
    merged = scope.declare_local_variable("stacked", made([None, model.final_estimator_.n_features_in_]))
    writer.add("Concat", *columns, output=merged.full_name, axis=1)
    answer = ask_regressor(scope, model.final_estimator_, [merged])
    writer.add("Reshape", writer.add("Cast", answer, to=element_type), shape, output=operator.outputs[0].full_name)
    writer.put_into(container)


def shape_of_stacked_regressor(operator: Any, *, double: bool) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = number_type(double)([None, 1])


def number_type(double: bool) -> Any:
    """skl2onnx's type of numbers."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return DoubleTensorType if double else FloatTensorType


def _refused(option: str, expected: str, found: str) -> ConversionError:
    return ConversionError("a stack that has no ONNX form", where=f"StackingRegressor: {option}", expected=expected, found=found)
