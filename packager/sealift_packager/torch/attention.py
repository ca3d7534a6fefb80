"""Attention whose mask hides every key from a query (a row of padding alone, padding on the left): torch answers 0 there.

What torch.onnx (onnxscript 0.7.2) writes answers otherwise. A mask of booleans becomes 0 and the lowest float, whose softmax over a row that is
wholly hidden is the same for every key; behind it stands what turns the NaN of minus infinity into 0, so all that lacks is minus infinity. A mask of
floats is added as it is, and nothing turns the NaN into 0.
"""

from __future__ import annotations

import collections
from typing import Any, Final

import numpy as np
import onnx

from sealift_packager.graph import graph

_ATTENTION: Final = "aten.scaled_dot_product_attention"
#: Where torch.onnx says what of the program a node is from.
_ORIGIN: Final = "pkg.torch.onnx.fx_node"
_FLOATS: Final = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)


def answer_hidden_rows(model: Any) -> Any:
    """A copy of what torch.onnx wrote, in which attention answers 0 where a mask that is computed hides all."""
    result = graph.copy_of(model)
    uses = collections.defaultdict(list)
    for node in result.graph.node:
        for name in node.input:
            uses[name].append(node)
    _hide_wholly(result, uses)
    _guard(result, uses)
    return result


def _hide_wholly(model: Any, uses: dict[str, list[Any]]) -> None:
    lowest = {tensor.name: tensor.data_type for tensor in model.graph.initializer if not tensor.dims and _is_lowest(tensor)}
    for node in model.graph.node:
        if node.op_type == "Where" and node.input[2] in lowest and _is_guarded(node.output[0], uses):
            node.input[2] = _scalar(model, lowest[node.input[2]], -np.inf)


def _is_lowest(tensor: Any) -> bool:
    if tensor.data_type not in _FLOATS:
        return False
    value = onnx.numpy_helper.to_array(tensor)
    return bool(value == np.finfo(value.dtype).min)


def _is_guarded(mask: str, uses: dict[str, list[Any]]) -> bool:
    """Whether each use of a mask is an addition whose softmax is asked for NaN."""
    sums = uses[mask]
    softmaxes = [node for addition in sums for node in uses[addition.output[0]]]
    added = bool(softmaxes) and all(node.op_type == "Add" for node in sums)
    return added and all(node.op_type == "Softmax" and _asks_for_nan(node, uses) for node in softmaxes)


def _asks_for_nan(node: Any, uses: dict[str, list[Any]]) -> bool:
    return any(consumer.op_type == "IsNaN" for consumer in uses[node.output[0]])


def _guard(model: Any, uses: dict[str, list[Any]]) -> None:
    """A 0 for NaN behind each softmax of attention whose mask is computed."""
    weights = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    types = {value.name: value.type.tensor_type.elem_type for value in (*model.graph.value_info, *model.graph.output)}
    sums = {node.output[0]: node for node in model.graph.node if node.op_type == "Add"}
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        masked = sums.get(node.input[0]) if node.op_type == "Softmax" and _is_attention(node) else None
        if masked is None or weights.keys() & set(masked.input) or _asks_for_nan(node, uses) or types.get(node.output[0]) not in _FLOATS:
            continue
        nodes += _zero_for_nan(node, _scalar(model, types[node.output[0]], 0.0))
    copies = [graph.copy_of(node) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _is_attention(node: Any) -> bool:
    return any(entry.key == _ORIGIN and _ATTENTION in entry.value for entry in node.metadata_props)


def _zero_for_nan(node: Any, zero: str) -> list[Any]:
    """Nodes that give what ``node`` gave, with its NaN as 0."""
    name = node.output[0]
    node.output[0] = f"{name}_or_nan"
    return [
        onnx.helper.make_node("IsNaN", [node.output[0]], [f"{name}_is_nan"], f"{node.name}_is_nan"),
        onnx.helper.make_node("Where", [f"{name}_is_nan", zero, node.output[0]], [name], f"{node.name}_without_nan"),
    ]


def _scalar(model: Any, data_type: int, value: float) -> str:
    name = f"attention_{'zero' if value == 0 else 'hidden'}_{data_type}"
    if all(tensor.name != name for tensor in model.graph.initializer):
        model.graph.initializer.append(onnx.helper.make_tensor(name, data_type, (), [value]))
    return name
