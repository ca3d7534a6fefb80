"""scikit-learn's KBinsDiscretizer as plain operators: skl2onnx's rounds the edges, and has no sparse one-hot form."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.distances import given_rows


def write_bins(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter: numbers [batch, columns] in, bins [batch, columns] or, one-hot, [batch, bins of all columns] out."""
    model = operator.raw_operator
    writer = NodeWriter(scope.get_unique_operator_name("bins"))
    values = given_rows(writer, operator)
    inner = [np.asarray(edges, np.float64)[1:-1] for edges in model.bin_edges_]
    limits = np.full((len(inner), max(1, *map(len, inner))), np.inf)
    for column_limits, edges in zip(limits, inner, strict=True):
        column_limits[: len(edges)] = edges
    last = writer.constant("last", np.array([2]))
    above = writer.add("GreaterOrEqual", writer.add("Unsqueeze", values, last), writer.constant("limits", limits))
    codes = writer.add("ReduceSum", writer.add("Cast", above, to=TensorProto.FLOAT), last, keepdims=0)
    if model.encode != "ordinal":
        most = int(max(model.n_bins_))
        same = writer.add("Equal", writer.add("Unsqueeze", codes, last), writer.constant("bins", np.arange(most, dtype=np.float32)))
        flat = writer.add("Reshape", writer.add("Cast", same, to=TensorProto.FLOAT), writer.constant("flat", np.array([-1, len(inner) * most])))
        kept = [column * most + number for column, count in enumerate(model.n_bins_) for number in range(count)]
        codes = writer.add("Gather", flat, writer.constant("kept", np.array(kept, np.int64)), axis=1)
    writer.add("Identity", codes, output=operator.outputs[0].full_name)
    writer.put_into(container)


def shape_of_bins(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    from skl2onnx.common.data_types import FloatTensorType

    counts = operator.raw_operator.n_bins_
    operator.outputs[0].type = FloatTensorType([None, len(counts) if operator.raw_operator.encode == "ordinal" else int(sum(counts))])
