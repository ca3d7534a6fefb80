"""What an output's own operator rounds by, where that doesn't shrink with the output. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx

#: onnxruntime's Sigmoid is up to 1.40 float32 steps of 1 away from the exact value, near 0 too (measured over -18..18): two of its answers to
#: the same number may be 2.8 apart.
SIGMOID_STEPS: Final = 3.0
#: A LinearClassifier's logistic function is the same (1.40 steps); its source computes in float64, so only the graph is off.
LOGISTIC_STEPS: Final = 1.5
_MOVING: Final = frozenset(("Identity", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Flatten", "Slice"))
_EPS: Final = float(np.finfo(np.float32).eps)


def rounding_of(model: onnx.ModelProto) -> dict[str, float]:
    """By float32 output that a Sigmoid gives, or a LinearClassifier's logistic function, by how much two right answers may differ."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    single = [output.name for output in model.graph.output if output.type.tensor_type.elem_type == onnx.TensorProto.FLOAT]
    steps = {name: _steps(_maker(name, made_by)) for name in single}
    return {name: count * _EPS for name, count in steps.items() if count}


def _maker(name: str, made_by: dict[str, onnx.NodeProto]) -> onnx.NodeProto | None:
    """The node that computes a tensor, looked for through operators that only move values."""
    while (node := made_by.get(name)) is not None and node.op_type in _MOVING:
        name = node.input[0]
    return node


def _steps(node: onnx.NodeProto | None) -> float:
    """How many float32 steps of 1 the results of a node are off by, near 0 too."""
    if node is None:
        return 0.0
    logistic = node.op_type == "LinearClassifier" and any(each.name == "post_transform" and each.s == b"LOGISTIC" for each in node.attribute)
    return LOGISTIC_STEPS if logistic else SIGMOID_STEPS if node.op_type == "Sigmoid" else 0.0
