"""Small changes that several quantizers make to a graph, in place. Pure."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import onnx

from sealift_packager.graph import graph


def drop_unused_weights(model: onnx.ModelProto) -> None:
    """Remove the initializers that no node takes, neither of the graph nor of its subgraphs."""
    used = {*_input_names(model.graph), *(output.name for output in model.graph.output)}
    kept = [graph.copy_of(tensor) for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def untranspose_shared(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which matrices that several nodes take are stored as each Gemm multiplies with them, not transposed.

    onnxruntime's dynamic quantizer (1.31.1) transposes the matrix of each Gemm in place: a shared one is transposed twice, and then is wrong.
    """
    result = graph.copy_of(model)
    uses = collections.Counter(_input_names(result.graph))
    weights = {tensor.name: tensor for tensor in result.graph.initializer}
    for node in result.graph.node:
        name = node.input[1] if node.op_type == "Gemm" else ""
        transposition = next((attribute for attribute in node.attribute if attribute.name == "transB" and attribute.i), None)
        if transposition is None or uses[name] < 2 or name not in weights:
            continue
        node.attribute.remove(transposition)
        node.input[1] = f"{name}_untransposed"
        if node.input[1] not in weights:
            array = onnx.numpy_helper.to_array(weights[name]).T
            weights[node.input[1]] = onnx.numpy_helper.from_array(np.ascontiguousarray(array), node.input[1])
            result.graph.initializer.append(weights[node.input[1]])
    drop_unused_weights(result)
    return result


def returning(model: onnx.ModelProto, names: Iterable[str]) -> onnx.ModelProto:
    """A copy whose graph also returns these tensors; their types are left to onnxruntime, because onnx infers none for ai.onnx.ml's operators."""
    result = graph.copy_of(model)
    ends = {tensor.name for tensor in (*result.graph.input, *result.graph.output)}
    result.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in ends)
    return result


def transposes_weight(node: onnx.NodeProto) -> bool:
    """Whether a Gemm multiplies with its matrix transposed."""
    return any(attribute.name == "transB" and attribute.i for attribute in node.attribute)


def flatten_biases(model: onnx.ModelProto) -> None:
    """Reshape biases of [1, n] that only Gemms add to [n], which broadcasts the same: onnxruntime's static quantizer (1.31.1) takes no other."""
    uses = collections.Counter(_input_names(model.graph))
    added = collections.Counter(node.input[2] for node in model.graph.node if node.op_type == "Gemm" and len(node.input) > 2)
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 2 and tensor.dims[0] == 1 and added[tensor.name] and added[tensor.name] == uses[tensor.name]:
            del tensor.dims[0]


def _input_names(part: onnx.GraphProto) -> Iterator[str]:
    for node in part.node:
        yield from node.input
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _input_names(inner)


def insert_before(model: onnx.ModelProto, added: Mapping[str, Sequence[onnx.NodeProto]]) -> None:
    """Insert nodes, each before the node of that name."""
    nodes = [graph.copy_of(node) for node in model.graph.node]
    del model.graph.node[:]
    for node in nodes:
        model.graph.node.extend([*added.get(node.name, ()), node])
