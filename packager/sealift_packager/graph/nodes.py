"""Nodes and initializers of a part of a graph, collected one by one."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sealift_packager.graph import graph

#: Of the domain ai.onnx.ml, for whatever is written here.
ML_OPSET: Final = 3


class NodeWriter:
    """Each node and initializer is named after the prefix."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.prefix = prefix

    def add(self, operator: str, *inputs: str, output: str = "", domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, and return that output's name."""
        name = output or f"{self.prefix}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, list(inputs), [name], name=f"{self.prefix}_{operator}_{len(self.nodes)}", domain=domain, **attributes)
        )
        return name

    def constant(self, name: str, value: Any) -> str:
        """Add an initializer, and return its name."""
        array = np.asarray(value)
        full = f"{self.prefix}_{name}"
        if array.dtype.kind in "UO":
            texts: Any = [str(item).encode() for item in array.ravel()]
            tensor = helper.make_tensor(full, TensorProto.STRING, list(array.shape), texts)
        else:
            tensor = numpy_helper.from_array(array, full)
        self.initializers.append(tensor)
        return full

    def least(self, values: str, count: str, name: str) -> tuple[str, str]:
        """The least values of each row, ``count`` [1] of them and in order, and their places along the second axis."""
        smallest, places = f"{self.prefix}_{name}_least", f"{self.prefix}_{name}_places"
        self.nodes.append(
            helper.make_node("TopK", [values, count], [smallest, places], name=f"{self.prefix}_{name}_TopK", axis=1, largest=0, sorted=1)
        )
        return smallest, places

    def put_into(self, container: Any) -> None:
        """Hand all over to a skl2onnx container."""
        container.nodes.extend(self.nodes)
        container.initializers.extend(self.initializers)
        container.node_domain_version_pair_sets.update({("", graph.TARGET_OPSET), ("ai.onnx.ml", ML_OPSET)})
