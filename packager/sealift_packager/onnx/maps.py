"""Outputs that are lists of mappings or of tensors, as converters of scikit-learn and of boosters write them: what they are made of is tensors."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from sealift_packager.graph.walk import all_nodes
from sealift_packager.model.source import Array

ML: Final = "ai.onnx.ml"


def open_maps(model: onnx.ModelProto) -> Array | None:
    """Let each ``ZipMap`` give the tensor [rows, classes] that it makes mappings of, in place, if it makes an output.

    A list of tensors that is put together for an output becomes an output for each of them, named after it and numbered from 0.

    Args:
        model: The model, which is changed.

    Returns:
        The classes that the mappings name, in the order of the tensor's columns; None if there are no mappings, or they name different ones.
    """
    made_by = {name: node for node in model.graph.node for name in node.output}
    used = {name for node in all_nodes(model) for name in node.input}
    named: list[Array] = []
    for output in list(model.graph.output):
        node = made_by.get(output.name)
        if node is None or output.name in used or output.type.WhichOneof("value") != "sequence_type":
            continue
        if node.op_type == "ZipMap" and node.domain == ML:
            named.append(_open_map(node, output))
        elif node.op_type == "SequenceConstruct":
            _open_list(model.graph, node, output)
    same = named and all(np.array_equal(named[0], classes) for classes in named)
    return named[0] if same else None


def _open_map(node: onnx.NodeProto, output: onnx.ValueInfoProto) -> Array:
    """Its classes; the node is an Identity afterwards."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    texts, numbers = attributes.get("classlabels_strings"), attributes.get("classlabels_int64s")
    classes = np.array([text.decode() for text in texts], object) if texts else np.array(numbers or [], np.int64)
    node.op_type, node.domain = "Identity", ""
    del node.attribute[:]
    output.type.CopyFrom(helper.make_tensor_type_proto(TensorProto.FLOAT, [None, len(classes)]))
    return classes


def _open_list(graph: onnx.GraphProto, node: onnx.NodeProto, output: onnx.ValueInfoProto) -> None:
    """An output for each member, in the list's place; the node is gone afterwards."""
    member_type = output.type.sequence_type.elem_type
    outputs = []
    for at, name in enumerate(node.input):
        member = f"{output.name}_{at}"
        graph.node.append(helper.make_node("Identity", [name], [member]))
        outputs.append(onnx.ValueInfoProto(name=member, type=member_type))
    place = list(graph.output).index(output)
    whole = [*graph.output[:place], *outputs, *graph.output[place + 1 :]]
    graph.node.remove(node)
    del graph.output[:]
    graph.output.extend(whole)
