"""FunctionTransformer and TransformedTargetRegressor, with functions of numpy or, for the target, a scaler; in float64 as there."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.errors import ConversionError, without_numpy
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.distances import given_rows
from sealift_packager.sklearn.converters.functions import write_function

_AFFINE = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")


def write_function_transformer(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a FunctionTransformer."""
    transformer = operator.raw_operator
    if transformer.kw_args:
        raise ConversionError(
            "arguments of a function",
            where="FunctionTransformer",
            found=without_numpy(f"kw_args={transformer.kw_args!r}"),
            advice="Leave the arguments out.",
        )
    writer = NodeWriter(scope.get_unique_operator_name("function"))
    if transformer.func is None:
        writer.add("Concat", *(variable.full_name for variable in operator.inputs), output=operator.outputs[0].full_name, axis=1)
    else:
        result = write_function(writer, transformer.func, given_rows(writer, operator), where="FunctionTransformer: func")
        writer.add("Cast", result, output=operator.outputs[0].full_name, to=operator.outputs[0].type.to_onnx_type().tensor_type.elem_type)
    writer.put_into(container)


def shape_of_function_transformer(operator: Any) -> None:
    """skl2onnx's shape calculator of it: as many columns as come in."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    tensor_types = [type(variable.type) for variable in operator.inputs]
    width = sum(int(variable.type.shape[1]) for variable in operator.inputs)
    if operator.raw_operator.func is None:
        tensor_type = tensor_types[0]
    else:
        tensor_type = DoubleTensorType if any(one.__name__.startswith("Double") for one in tensor_types) else FloatTensorType
    operator.outputs[0].type = tensor_type([None, width])


def write_target_regressor(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a TransformedTargetRegressor: the regressor in it, then the way back."""
    from skl2onnx._parse import parse_sklearn

    model = operator.raw_operator
    inner = parse_sklearn(scope, model.regressor_, operator.inputs)[0]
    writer = NodeWriter(scope.get_unique_operator_name("target"))
    value = _back(writer, model.transformer_, writer.add("Cast", inner.full_name, to=TensorProto.DOUBLE))
    flat = writer.add("Reshape", value, writer.constant("shape", np.array([-1, _targets(model)])))
    writer.add("Cast", flat, output=operator.outputs[0].full_name, to=operator.outputs[0].type.to_onnx_type().tensor_type.elem_type)
    writer.put_into(container)


def shape_of_target_regressor(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    number_type = DoubleTensorType if any(isinstance(variable.type, DoubleTensorType) for variable in operator.inputs) else FloatTensorType
    operator.outputs[0].type = number_type([None, _targets(operator.raw_operator)])


def _targets(model: Any) -> int:
    return 1 if model._training_dim == 1 else int(model.transformer_.n_features_in_)  # noqa: SLF001


def _back(writer: NodeWriter, transformer: Any, value: str) -> str:
    name = type(transformer).__name__
    if name == "FunctionTransformer":
        return write_function(writer, transformer.inverse_func, value, where="TransformedTargetRegressor: inverse_func")
    if name not in _AFFINE:
        expected = f"{', '.join(_AFFINE)}, or func and inverse_func"
        raise ConversionError(
            "the inverse transformation of the target has no ONNX form",
            where="TransformedTargetRegressor: transformer",
            expected=expected,
            found=name,
            advice="Use one of these, or pack the regressor and transform its answers where they are used.",
        )
    width = int(transformer.n_features_in_)
    zero = transformer.inverse_transform(np.zeros((1, width)))[0]
    slope = transformer.inverse_transform(np.ones((1, width)))[0] - zero
    return writer.add("Add", writer.add("Mul", value, writer.constant("slope", slope)), writer.constant("zero", zero))
