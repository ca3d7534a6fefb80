"""Regressors made of others whose answers skl2onnx puts together otherwise: AdaBoost's weighted median, and the mean of bags of several targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.columns import numbers_type
from sealift_packager.sklearn.converters.members import ask_regressor, chosen_columns, leave_to_skl2onnx


def write_median(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of an AdaBoostRegressor: the members' median by weight [batch, 1].

    The weights add up in float64 as there: in float32 the half that decides is another one.
    """
    model = operator.raw_operator
    answers = [ask_regressor(scope, member, operator.inputs) for member in model.estimators_]
    writer = NodeWriter(scope.get_unique_operator_name("median"))
    shape = writer.constant("shape", np.array([-1, 1]))
    columns = [writer.add("Reshape", writer.add("Cast", answer, to=TensorProto.DOUBLE), shape) for answer in answers]
    merged = writer.add("Concat", *columns, axis=1)
    values, places = writer.least(merged, writer.constant("count", np.array([len(columns)])), "sorted")
    weights = writer.add("Gather", writer.constant("weights", model.estimator_weights_[: len(columns)].astype(np.float64)), places)
    sums = writer.add("CumSum", weights, writer.constant("axis", np.array(1)))
    half = writer.add("Mul", writer.add("Gather", sums, writer.constant("last", np.array([len(columns) - 1])), axis=1), writer.constant("half", 0.5))
    above = writer.add("Cast", writer.add("GreaterOrEqual", sums, half), to=TensorProto.INT64)
    median = writer.add("GatherElements", values, writer.add("ArgMax", above, axis=1, keepdims=1), axis=1)
    writer.add("Cast", median, output=operator.outputs[0].full_name, to=operator.outputs[0].type.to_onnx_type().tensor_type.elem_type)
    writer.put_into(container)


def shape_of_median(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = operator.inputs[0].type.__class__([None, 1])


def write_weighted(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a VotingRegressor: the members' mean by weight [batch, 1]; skl2onnx's takes no list of weights and no text."""
    model = operator.raw_operator
    weights = model._weights_not_none  # noqa: SLF001
    shares = np.ones(len(model.estimators_)) if weights is None else np.asarray(weights, np.float64)
    writer = NodeWriter(scope.get_unique_operator_name("weighted"))
    shape = writer.constant("shape", np.array([-1, 1]))
    answers = [writer.add("Cast", ask_regressor(scope, member, operator.inputs), to=TensorProto.DOUBLE) for member in model.estimators_]
    merged = writer.add("Concat", *(writer.add("Reshape", answer, shape) for answer in answers), axis=1)
    mean = writer.add("MatMul", merged, writer.constant("shares", (shares / shares.sum()).reshape(-1, 1)))
    writer.add("Cast", mean, output=operator.outputs[0].full_name, to=operator.outputs[0].type.to_onnx_type().tensor_type.elem_type)
    writer.put_into(container)


def shape_of_weighted(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = numbers_type(operator.inputs, [None, 1])


def write_mean(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a BaggingRegressor; the mean of several targets is one by target [batch, targets]."""
    model = operator.raw_operator
    targets = _targets(model)
    if targets == 1:
        leave_to_skl2onnx(scope, operator, container)
        return
    answers = [
        ask_regressor(scope, member, chosen_columns(scope, operator, container, columns))
        for member, columns in zip(model.estimators_, model.estimators_features_, strict=True)
    ]
    writer = NodeWriter(scope.get_unique_operator_name("mean"))
    shape = writer.constant("shape", np.array([-1, targets]))
    element_type = operator.outputs[0].type.to_onnx_type().tensor_type.elem_type
    flat = [writer.add("Reshape", writer.add("Cast", answer, to=element_type), shape) for answer in answers]
    members = writer.add("Cast", writer.constant("members", len(flat)), to=element_type)
    writer.add("Div", writer.add("Sum", *flat), members, output=operator.outputs[0].full_name)
    writer.put_into(container)


def shape_of_mean(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = operator.inputs[0].type.__class__([None, _targets(operator.raw_operator)])


def _targets(model: Any) -> int:
    """A bag doesn't say how many: one row is asked."""
    return int(np.asarray(model.predict(np.zeros((1, model.n_features_in_)))).size)
