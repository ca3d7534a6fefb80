"""What an output's own operator rounds by, where that doesn't shrink with the output. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx

#: onnxruntime's Sigmoid is up to 1.40 float32 steps of 1 away from the exact value, near 0 too (measured over -18..18): two of its answers to
#: the same number may be 2.8 apart.
SIGMOID_STEPS: Final = 3.0
_MOVING: Final = frozenset(("Identity", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Flatten", "Slice"))


def rounding_of(model: onnx.ModelProto) -> dict[str, float]:
    """By float32 output that a Sigmoid gives, by how much two right answers may differ."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    single = [output.name for output in model.graph.output if output.type.tensor_type.elem_type == onnx.TensorProto.FLOAT]
    return {name: SIGMOID_STEPS * float(np.finfo(np.float32).eps) for name in single if _is_of_sigmoid(name, made_by)}


def _is_of_sigmoid(name: str, made_by: dict[str, onnx.NodeProto]) -> bool:
    """Whether a tensor is a Sigmoid's, looked for through operators that only move values."""
    while (node := made_by.get(name)) is not None and node.op_type in _MOVING:
        name = node.input[0]
    return node is not None and node.op_type == "Sigmoid"
