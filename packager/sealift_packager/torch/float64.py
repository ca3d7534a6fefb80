"""Operators that onnxruntime has for float32 alone, in a graph of float64: they compute in float32, and parity says whether that is enough. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx

from sealift_packager.graph import graph
from sealift_packager.graph.tensors import is_reference

#: What ``get_all_opkernel_def`` of onnxruntime 1.31 says of the CPU's provider; LSTM and GRU have a kernel for float64 that says it can't.
_NAMES: Final = (
    "Acos Acosh Asin Asinh Atan Atanh Attention AveragePool Celu Conv ConvTranspose Cosh Elu Erf GRU Gelu GlobalAveragePool GlobalLpPool "
    "GlobalMaxPool HardSigmoid HardSwish InstanceNormalization LRN LSTM LeakyRelu LpPool Mean MeanVarianceNormalization "
    "Mish PRelu RNN Resize RotaryEmbedding Selu Sinh Softplus Softsign Tan ThresholdedRelu"
)
_SINGLE: Final = frozenset(_NAMES.split())
_FLOAT, _DOUBLE = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE


def single_where_needed(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with a Cast before and after each such operator of float64; the graph itself if there is none."""
    if not any(node.op_type in _SINGLE for node in model.graph.node):
        return model
    types = _types(graph.infer_shapes(model))
    if _DOUBLE not in types.values():
        return model
    result = graph.copy_of(model)
    weights = {tensor.name: tensor for tensor in result.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    cast: set[str] = set()
    for node in result.graph.node:
        if node.op_type not in _SINGLE or node.domain not in ("", "ai.onnx"):
            nodes.append(node)
            continue
        for at, name in enumerate(node.input):
            if types.get(name) == _DOUBLE:
                if name not in cast:
                    nodes += _narrowed(result, weights, name)
                    cast.add(name)
                node.input[at] = f"{name}_single"
        wide = [name for name in node.output if types.get(name) == _DOUBLE]
        node.output[:] = [f"{name}_computed" if name in wide else name for name in node.output]
        nodes += [node, *(onnx.helper.make_node("Cast", [f"{name}_computed"], [name], name=f"{name}_double", to=_DOUBLE) for name in wide)]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def _types(model: onnx.ModelProto) -> dict[str, int]:
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    return {value.name: value.type.tensor_type.elem_type for value in values} | {tensor.name: tensor.data_type for tensor in model.graph.initializer}


def _narrowed(model: onnx.ModelProto, weights: dict[str, onnx.TensorProto], name: str) -> list[onnx.NodeProto]:
    """The node that gives a value in float32; none for a weight in the graph, which is stored so."""
    if name not in weights or is_reference(weights[name]):
        return [onnx.helper.make_node("Cast", [name], [f"{name}_single"], name=f"{name}_single", to=_FLOAT)]
    array = onnx.numpy_helper.to_array(weights[name]).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(array, f"{name}_single"))
    return []
