"""FunctionTransformer and TransformedTargetRegressor, with functions of numpy or, for the target, a transformer; in float64."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.errors import ConversionError, without_numpy
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.distances import given_rows
from sealift_packager.sklearn.converters.functions import write_function
from sealift_packager.sklearn.converters.powers import write_powers_back
from sealift_packager.sklearn.converters.quantiles import write_back

_AFFINE = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")


def write_function_transformer(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a FunctionTransformer."""
    transformer = operator.raw_operator
    _check_no_arguments(transformer.kw_args, "FunctionTransformer: kw_args")
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
    """The inverse transformation of float64 [batch, targets]."""
    name = type(transformer).__name__
    if hasattr(transformer, "steps"):
        for step in (step for _, step in reversed(transformer.steps) if step not in (None, "passthrough")):
            value = _back(writer, step, value)
        return value
    if name == "FunctionTransformer":
        _check_no_arguments(transformer.inv_kw_args, "TransformedTargetRegressor: inverse_func")
        return write_function(writer, transformer.inverse_func, value, where="TransformedTargetRegressor: inverse_func")
    if name in _AFFINE:
        return _moved_back(writer, transformer, value)
    if name == "QuantileTransformer":
        return write_back(writer, transformer, value)
    if name == "PowerTransformer":
        scaled = _moved_back(writer, transformer._scaler, value) if transformer.standardize else value  # noqa: SLF001
        return write_powers_back(writer, transformer, scaled)
    raise ConversionError(
        "the inverse transformation of the target has no ONNX form",
        where="TransformedTargetRegressor: transformer",
        expected=f"{', '.join(_AFFINE)}, PowerTransformer, QuantileTransformer, a pipeline of these, or func and inverse_func",
        found=name,
        advice="Use one of these, or pack the regressor and transform its answers where they are used.",
    )


def _moved_back(writer: NodeWriter, scaler: Any, value: str) -> str:
    width, at = int(scaler.n_features_in_), len(writer.initializers)
    if getattr(scaler, "clip", False):  # a MinMaxScaler clips on the way there alone
        scaler = copy.copy(scaler)
        scaler.clip = False
    zero = scaler.inverse_transform(np.zeros((1, width)))[0]
    slope = scaler.inverse_transform(np.ones((1, width)))[0] - zero
    return writer.add("Add", writer.add("Mul", value, writer.constant(f"slope_{at}", slope)), writer.constant(f"zero_{at}", zero))


def _check_no_arguments(arguments: Any, where: str) -> None:
    if arguments:
        raise ConversionError("arguments of a function", where=where, found=without_numpy(f"{arguments!r:.100}"), advice="Leave the arguments out.")
