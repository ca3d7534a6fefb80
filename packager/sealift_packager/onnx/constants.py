"""Numbers that a graph compares with: those of an input that chooses a branch, such as a sampling rate. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import numpy_helper

from sealift_packager.graph.tensors import is_reference
from sealift_packager.graph.walk import all_graphs, all_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMPARING: Final = frozenset(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"))
_MOST: Final = 8


def compared_numbers(model: onnx.ModelProto) -> tuple[float, ...]:
    """The numbers that comparisons take, each once, at most eight."""
    known = dict(_single_numbers(model))
    taken = (known[name] for node in all_nodes(model) if node.op_type in _COMPARING for name in node.input if name in known)
    return tuple(dict.fromkeys(taken))[:_MOST]


def _single_numbers(model: onnx.ModelProto) -> Iterator[tuple[str, float]]:
    for part in all_graphs(model):
        for tensor in part.initializer:
            yield from _number(tensor.name, tensor)
        for node in part.node:
            for attribute in node.attribute if node.op_type == "Constant" else ():
                if attribute.name == "value":
                    yield from _number(node.output[0], attribute.t)


def _number(name: str, tensor: onnx.TensorProto) -> Iterator[tuple[str, float]]:
    if is_reference(tensor) or np.prod(tensor.dims) != 1 or tensor.data_type == onnx.TensorProto.STRING:
        return
    yield name, float(numpy_helper.to_array(tensor).astype(np.float64).reshape(()))
