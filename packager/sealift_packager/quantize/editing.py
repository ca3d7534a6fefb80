"""Small changes that several quantizers make to a graph, in place. Pure."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx

from sealift_packager.graph import graph


def drop_unused_weights(model: onnx.ModelProto) -> None:
    """Initializers that no node of the graph or of a graph inside it takes, go."""
    used = {*_names(model.graph), *(row.name for row in model.graph.output)}
    kept = [graph.copy_of(row) for row in model.graph.initializer if row.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def turn_shared(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which matrices that several nodes take are stored as each Gemm multiplies with them, not transposed.

    onnxruntime's dynamic quantizer (1.31.1) turns the matrix of each Gemm in place: one that is shared is turned twice, and then is wrong.
    """
    result = graph.copy_of(model)
    uses = collections.Counter(_names(result.graph))
    weights = {row.name: row for row in result.graph.initializer}
    for node in result.graph.node:
        name = node.input[1] if node.op_type == "Gemm" else ""
        turned = next((row for row in node.attribute if row.name == "transB" and row.i), None)
        if turned is None or uses[name] < 2 or name not in weights:
            continue
        node.attribute.remove(turned)
        node.input[1] = f"{name}_turned"
        if node.input[1] not in weights:
            array = onnx.numpy_helper.to_array(weights[name]).T
            weights[node.input[1]] = onnx.numpy_helper.from_array(np.ascontiguousarray(array), node.input[1])
            result.graph.initializer.append(weights[node.input[1]])
    drop_unused_weights(result)
    return result


def flatten_biases(model: onnx.ModelProto) -> None:
    """Give biases of [1, n] that only Gemms add the shape [n], which they add alike: onnxruntime's static quantizer (1.31.1) takes no other."""
    uses = collections.Counter(_names(model.graph))
    added = collections.Counter(node.input[2] for node in model.graph.node if node.op_type == "Gemm" and len(node.input) > 2)
    for row in model.graph.initializer:
        if len(row.dims) == 2 and row.dims[0] == 1 and added[row.name] and added[row.name] == uses[row.name]:
            del row.dims[0]


def _names(part: onnx.GraphProto) -> Iterator[str]:
    for node in part.node:
        yield from node.input
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _names(inner)


def insert_before(model: onnx.ModelProto, added: Mapping[str, Sequence[onnx.NodeProto]]) -> None:
    """Put nodes before others, which are given by name."""
    nodes = [graph.copy_of(node) for node in model.graph.node]
    del model.graph.node[:]
    for node in nodes:
        model.graph.node.extend([*added.get(node.name, ()), node])
