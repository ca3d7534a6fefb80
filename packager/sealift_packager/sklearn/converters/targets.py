"""Regressors of several targets made of one for each: MultiOutputRegressor, and RegressorChain, whose members are given the answers before theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.columns import numbers_type
from sealift_packager.sklearn.converters.distances import given_rows
from sealift_packager.sklearn.converters.members import ask_regressor
from sealift_packager.sklearn.converters.neighbors import element_type


def write_targets(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a MultiOutputRegressor: a table's columns in, [batch, targets] out."""
    writer = NodeWriter(scope.get_unique_operator_name("targets"))
    answers = [_column(writer, ask_regressor(scope, member, operator.inputs)) for member in operator.raw_operator.estimators_]
    writer.add("Cast", writer.add("Concat", *answers, axis=1), output=operator.outputs[0].full_name, to=element_type(operator))
    writer.put_into(container)


def write_chain(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a RegressorChain: rows [batch, features] in, [batch, targets] out, in the order of the targets."""
    from skl2onnx.common.data_types import DoubleTensorType

    model, writer = operator.raw_operator, NodeWriter(scope.get_unique_operator_name("chain"))
    rows = given_rows(writer, operator)
    width = sum(int(variable.type.shape[1]) for variable in operator.inputs)
    answers = list[str]()
    for at, member in enumerate(model.estimators_):
        longer = scope.declare_local_variable("chained", DoubleTensorType([None, width + at]))
        writer.add("Concat", rows, *answers, output=longer.full_name, axis=1)
        answers.append(_column(writer, ask_regressor(scope, member, [longer])))
    ordered = writer.add("Concat", *(answers[at] for at in np.argsort(model.order_)), axis=1)
    writer.add("Cast", ordered, output=operator.outputs[0].full_name, to=element_type(operator))
    writer.put_into(container)


def shape_of_targets(operator: Any) -> None:
    """skl2onnx's shape calculator of both."""
    operator.outputs[0].type = numbers_type(operator.inputs, [None, len(operator.raw_operator.estimators_)])


def _column(writer: NodeWriter, answer: str) -> str:
    """float64 [batch, 1]."""
    shape = writer.constant(f"shape_{len(writer.initializers)}", np.array([-1, 1]))
    return writer.add("Reshape", writer.add("Cast", answer, to=TensorProto.DOUBLE), shape)
