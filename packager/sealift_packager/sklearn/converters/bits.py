"""scikit-learn's Binarizer as plain operators: skl2onnx's, in float64, makes a value on the threshold 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.distances import given_rows
from sealift_packager.sklearn.converters.neighbors import element_type


def write_bits(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter: numbers [batch, columns] in, 1 [batch, columns] out for those above the threshold, 0 for all others."""
    writer = NodeWriter(scope.get_unique_operator_name("bits"))
    above = writer.add("Greater", given_rows(writer, operator), writer.constant("threshold", np.float64(operator.raw_operator.threshold)))
    writer.add("Cast", above, output=operator.outputs[0].full_name, to=element_type(operator))
    writer.put_into(container)


def shape_of_bits(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = operator.inputs[0].type.__class__([None, sum(int(variable.type.shape[1]) for variable in operator.inputs)])
