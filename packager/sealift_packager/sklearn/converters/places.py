"""Where numbers stand among sorted limits, exactly as `numpy.searchsorted` has it, in memory that grows with the root of the limits' number."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.nodes import NodeWriter

#: So many limits of a column are compared at once; more are looked up block by block.
_AT_ONCE: Final = 64


def places_among(writer: NodeWriter, values: str, limits: Any, name: str, *, inclusive: bool) -> str:
    """int64 [batch, columns]: how many limits of its column lie below each value, those that equal it among them where ``inclusive``.

    Args:
        writer: Takes the nodes.
        values: float64 [batch, columns]; NaN has nothing below it.
        limits: [columns, limits], sorted.
        name: Prefix of the names.
        inclusive: Whether a limit that equals the value counts.
    """
    table = np.asarray(limits, np.float64)
    columns, count = table.shape
    last, compare = writer.constant(f"{name}_last", np.array([2])), "GreaterOrEqual" if inclusive else "Greater"
    value = writer.add("Unsqueeze", values, last)

    def below(others: str) -> str:
        passed = writer.add("Cast", writer.add(compare, value, others), to=TensorProto.INT64)
        return writer.add("ReduceSum", passed, last, keepdims=0)

    if count <= _AT_ONCE:
        return below(writer.constant(f"{name}_limits", table))
    width = math.isqrt(count - 1) + 1
    blocks = -(-count // width)
    padded = np.pad(table, ((0, 0), (0, blocks * width - count)), constant_values=np.inf).reshape(columns, blocks, width)
    block = writer.add("Min", below(writer.constant(f"{name}_ends", padded[:, :, -1])), writer.constant(f"{name}_most", np.array(blocks - 1)))
    row = writer.add("Add", block, writer.constant(f"{name}_first", np.arange(columns) * blocks))
    inside = below(writer.add("Gather", writer.constant(f"{name}_blocks", padded.reshape(-1, width)), row))
    place = writer.add("Add", writer.add("Mul", block, writer.constant(f"{name}_width", np.array(width))), inside)
    return writer.add("Min", place, writer.constant(f"{name}_count", np.array(count)))


def picked_at(writer: NodeWriter, table: Any, places: str, name: str) -> str:
    """[batch, columns, …]: of each column's rows of a table [columns, rows, …] the one at its place [batch, columns]."""
    values = np.asarray(table)
    columns, rows = values.shape[:2]
    row = writer.add("Add", places, writer.constant(f"{name}_start", np.arange(columns) * rows))
    return writer.add("Gather", writer.constant(f"{name}_rows", values.reshape(columns * rows, *values.shape[2:])), row)
