"""A graph of one array of columns, as one that takes what a source takes: that array, or an input for each column."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import onnx
from onnx import helper

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.graph import graph


def take_columns(model: onnx.ModelProto, inputs: Sequence[TensorSpec]) -> onnx.ModelProto:
    """A copy whose one input [batch, columns] is made of ``inputs``, each cast to its type; the model itself where it is that input already.

    Args:
        model: A graph with one input, of float32 or float64.
        inputs: What the graph is to take: numbers, in the order of the columns.
    """
    array = model.graph.input[0]
    dtype, types = array.type.tensor_type.elem_type, [helper.np_dtype_to_tensor_dtype(spec.numpy_dtype) for spec in inputs]
    if [(spec.name, element_type) for spec, element_type in zip(inputs, types, strict=True)] == [(array.name, dtype)]:
        return model
    result = graph.copy_of(model)
    _make_room(result, {spec.name for spec in inputs})
    whole, columns, nodes = result.graph.input[0].name, list[str](), list[onnx.NodeProto]()
    for spec, element_type in zip(inputs, types, strict=True):
        name = spec.name if element_type == dtype else f"{whole}_{len(columns)}"
        if element_type != dtype:
            nodes.append(helper.make_node("Cast", [spec.name], [name], name=name, to=dtype))
        columns.append(name)
    nodes.append(helper.make_node("Concat", columns, [whole], name=whole, axis=1))
    nodes += [graph.copy_of(node) for node in result.graph.node]
    del result.graph.node[:], result.graph.input[:]
    result.graph.node.extend(nodes)
    infos = [helper.make_tensor_value_info(spec.name, element_type, list(spec.shape)) for spec, element_type in zip(inputs, types, strict=True)]
    result.graph.input.extend(infos)
    return result


def rename_inputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """A copy whose inputs have these names, whatever characters are in them; a tensor inside or an output that has one of them gets another."""
    result = graph.copy_of(model)
    given = [tensor.name for tensor in result.graph.input]
    inside = {name for node in result.graph.node for name in node.output} | {tensor.name for tensor in result.graph.initializer}
    taken = inside | set(names) | set(given)
    renamed = {name: _free_name(name, taken) for name in inside & set(names)} | dict(zip(given, names, strict=True))
    graph.rename_tensors(result.graph.node, renamed)
    for named in (*result.graph.initializer, *result.graph.input, *result.graph.output):
        named.name = renamed.get(named.name, named.name)
    return result


def _make_room(model: onnx.ModelProto, names: Collection[str]) -> None:
    """Give tensors inside the graph, its input among them, other names where they have one of these; outputs keep theirs."""
    kept = {output.name for output in model.graph.output}
    inside = {name for node in model.graph.node for name in (*node.input, *node.output)} | {tensor.name for tensor in model.graph.initializer}
    renamed = {name: _free_name(name, inside | set(names)) for name in inside & set(names) - kept}
    graph.rename_tensors(model.graph.node, renamed)
    for named in (*model.graph.initializer, *model.graph.input):
        named.name = renamed.get(named.name, named.name)


def _free_name(name: str, taken: Collection[str]) -> str:
    return next(free for at in range(len(taken) + 1) if (free := f"{name}_inside{at or ''}") not in taken)
