"""Regressors of several targets, which skl2onnx writes one below the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from sealift_packager.graph import graph
from sealift_packager.graph.nodes import NodeWriter


def write_perceptron(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of an MLPRegressor, and a Reshape of what it gives, [batch * targets, 1], to [batch, targets]."""
    from skl2onnx.common._registration import get_converter

    start = len(container.nodes)
    get_converter("SklearnMLPRegressor")(scope, operator, container)
    writer = NodeWriter(scope.get_unique_operator_name("targets"))
    given = operator.outputs[0].full_name
    graph.rename_tensors(container.nodes[start:], {given: f"{writer.prefix}_below"})
    shape = writer.constant("shape", np.array([-1, operator.raw_operator.n_outputs_]))
    writer.add("Reshape", f"{writer.prefix}_below", shape, output=given)
    writer.put_into(container)


def shape_of_perceptron(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type.shape = [None, operator.raw_operator.n_outputs_]
