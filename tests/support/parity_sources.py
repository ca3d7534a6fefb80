"""Sources of one line and graphs of a few nodes that are held against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.graph.result import Converted
from sealift_packager.model.source import Array, Arrays, SourceModel
from sealift_packager.trees.ensemble import IDENTITY, Ensemble, Tree

X = TensorSpec(name="x", dtype="float32", shape=("batch", 2))
Predict = Callable[[Arrays], dict[str, Array]]


def converted(nodes: list[onnx.NodeProto], width: int, spec: TensorSpec = X, output: str = "y", /, **weights: Array) -> Converted:
    """A graph from one input to one float32 output [batch, width]."""
    element = helper.np_dtype_to_tensor_dtype(spec.numpy_dtype)
    inputs = [helper.make_tensor_value_info(spec.name, element, list(spec.shape))]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, [spec.shape[0], width])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(weight, name) for name, weight in weights.items()])
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return Converted(model=model, inputs=(spec,), outputs=())


def added(constant: Array, *, spec: TensorSpec = X, output: str = "y") -> Converted:
    """y = x + constant."""
    return converted([helper.make_node("Add", ["x", "c"], [output])], 2, spec, output, c=constant.astype(np.float32))


def stump(comparison: str) -> Converted:
    """y = 1 where the first column compares with 0.5, else 2."""
    nodes = [
        helper.make_node("Gather", ["x", "first"], ["column"], axis=1),
        helper.make_node(comparison, ["column", "half"], ["left"]),
        helper.make_node("Where", ["left", "one", "two"], ["y"]),
    ]
    numbers = {name: np.array(value, dtype=np.float32) for name, value in (("half", 0.5), ("one", 1), ("two", 2))}
    return converted(nodes, 1, first=np.array([0]), **numbers)


SAME = added(np.zeros(2))


def same(inputs: Arrays) -> dict[str, Array]:
    return {"y": inputs["x"].copy()}


def source(predict: Predict = same, **changes: Any) -> SourceModel:
    fields: dict[str, Any] = {"format": "x", "framework": "here", "digest": Digest.of(b""), "native": None, "inputs": (X,), "outputs": ("y",)}
    return SourceModel(predict=predict, **fields | changes)


def holdout(*rows: tuple[float, float]) -> dict[str, Array]:
    return {"x": np.array(rows, dtype=np.float32)}


def trees(*thresholds: float, **more: Any) -> Ensemble:
    """For each threshold, 1 up to it and 2 beyond."""
    grown_trees = tuple(
        Tree(
            feature=np.array([0, -1, -1]),
            threshold=np.array([threshold, 0, 0]),
            missing_left=np.array([False] * 3),
            left=np.array([1, 0, 0]),
            right=np.array([2, 0, 0]),
            value=np.array([[0.0], [1.0], [2.0]]),
        )
        for threshold in thresholds
    )
    return Ensemble(trees=grown_trees, features=2, outputs=1, base=np.zeros(1), link=IDENTITY, **more)


def grown(inputs: Arrays) -> dict[str, Array]:
    return {"y": np.where(inputs["x"][:, :1] <= 0.5, 1, 2).astype(np.float32)}
