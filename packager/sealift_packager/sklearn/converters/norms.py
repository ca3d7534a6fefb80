"""scikit-learn's Normalizer as plain operators: skl2onnx's takes the largest value for the norm "max", not the largest size."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.columns import numbers_type
from sealift_packager.sklearn.converters.distances import given_rows
from sealift_packager.sklearn.converters.neighbors import element_type

_REDUCTIONS: Final = {"l1": "ReduceL1", "l2": "ReduceL2", "max": "ReduceMax"}
#: Rows with a smaller norm stay as they are (scikit-learn's ``_handle_zeros_in_scale``).
_LEAST: Final = 10 * float(np.finfo(np.float64).eps)


def write_norms(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter: numbers [batch, columns] in, each row over its norm out."""
    kind, writer = operator.raw_operator.norm, NodeWriter(scope.get_unique_operator_name("norms"))
    rows = given_rows(writer, operator)
    sizes = writer.add("Abs", rows) if kind == "max" else rows
    norm = writer.add(_REDUCTIONS[kind], sizes, writer.constant("axis", np.array([1])), keepdims=1)
    small = writer.add("Less", norm, writer.constant("least", np.float64(_LEAST)))
    divided = writer.add("Div", rows, writer.add("Where", small, writer.constant("one", np.float64(1)), norm))
    writer.add("Cast", divided, output=operator.outputs[0].full_name, to=element_type(operator))
    writer.put_into(container)


def shape_of_norms(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = numbers_type(operator.inputs, [None, sum(int(variable.type.shape[1]) for variable in operator.inputs)])
