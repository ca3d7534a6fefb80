"""How large the rounding of an output's own operator is, where that doesn't shrink with the output. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx

from sealift_packager.parity.compare import ATOL_SHARE

#: Kernels of the logistic function differ by some units of 1, also where its value is near 0.
SIGMOID_UNITS: Final = 4
_MOVING: Final = frozenset(("Identity", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Flatten", "Slice"))


def rounding_sizes(model: onnx.ModelProto) -> dict[str, float]:
    """By output that a Sigmoid gives, the size (as `compare.sizes`) of which its rounding is what is allowed: some float32 units of 1, no more."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    size = SIGMOID_UNITS * float(np.finfo(np.float32).eps) / ATOL_SHARE
    return {output.name: size for output in model.graph.output if _maker(output.name, made_by) == "Sigmoid"}


def _maker(name: str, made_by: dict[str, onnx.NodeProto]) -> str:
    """The operator that computes a tensor, looked for through those that only move values."""
    while (node := made_by.get(name)) is not None and node.op_type in _MOVING:
        name = node.input[0]
    return node.op_type if node is not None else ""
