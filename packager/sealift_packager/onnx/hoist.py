"""Large weights in branches, bodies and constants become initializers of the outermost graph, where they can stay in files."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from sealift_packager.graph.graph import copy_of
from sealift_packager.graph.tensors import is_reference
from sealift_packager.graph.walk import all_graphs, subgraphs


def hoist_weights(model: onnx.ModelProto) -> None:
    """Move external weights of inner graphs, and those that Constant nodes give, outwards, in place.

    A weight that an inner graph hands out as it is stays there: an inner graph gives only what it has made.
    """
    taken = {name for part in all_graphs(model) for name in _names(part)}
    for part, outermost in _parts(model.graph):
        for name, tensor in list(_external(part, outermost=outermost)):
            moved = copy_of(tensor)
            moved.name = name if outermost else _free(f"{name}_hoisted", taken)
            taken.add(moved.name)
            model.graph.initializer.append(moved)
            if not outermost:
                _rename(part, name, moved.name)


def _parts(graph: onnx.GraphProto, *, outermost: bool = True) -> Iterator[tuple[onnx.GraphProto, bool]]:
    yield graph, outermost
    for node in graph.node:
        for branch in subgraphs(node):
            yield from _parts(branch, outermost=False)


def _external(graph: onnx.GraphProto, *, outermost: bool) -> Iterator[tuple[str, onnx.TensorProto]]:
    """Take out of a graph the tensors that can move, and yield each with its name."""
    handed = {output.name for output in graph.output}
    for node in [node for node in graph.node if node.op_type == "Constant" and node.output[0] not in handed]:
        tensor = next((attribute.t for attribute in node.attribute if attribute.name == "value"), None)
        if tensor is not None and is_reference(tensor):
            yield node.output[0], copy_of(tensor)
            graph.node.remove(node)
    if not outermost:
        for initializer in [tensor for tensor in graph.initializer if is_reference(tensor) and tensor.name not in handed]:
            yield initializer.name, copy_of(initializer)
            graph.initializer.remove(initializer)


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    yield from (tensor.name for tensor in (*graph.initializer, *graph.input))
    yield from (name for node in graph.node for name in node.output)


def _free(name: str, taken: set[str]) -> str:
    free, number = name, 0
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name == old:
                node.input[at] = new
        for branch in subgraphs(node):
            _rename(branch, old, new)
