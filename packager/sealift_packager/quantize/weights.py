"""Weights stored smaller and computed with in fp32: a quarter of the size as int8, half of it as fp16, at the speed of fp32.

Each weight becomes int8 behind a DequantizeLinear, or fp16 behind a Cast, which onnxruntime folds away when it loads the graph; the session entry
``session.disable_quant_qdq`` keeps it from computing in int8 instead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from sealift_packager.candidates.candidate import Quantization
from sealift_packager.errors import NothingToQuantizeError, QuantizationError
from sealift_packager.graph import graph
from sealift_packager.graph.tensors import WeightFile, file_beside, make_tensor, values
from sealift_packager.model.source import Array
from sealift_packager.quantize.calibration import Calibration
from sealift_packager.quantize.editing import transposes_weight

#: Smaller tensors would hardly shrink: a scale per channel is stored beside them.
MIN_ELEMENTS: Final = 512
#: So many values at most are rounded at a time, so that this takes little memory beside them.
_PART: Final = 2**24


def quantize_weights(model: onnx.ModelProto, settings: Quantization, calibration: Calibration, scratch: Path) -> onnx.ModelProto:  # noqa: ARG001  (a quantizer)
    """A copy whose large float32 weights are int8, symmetric, with a scale per output channel (per row of an embedding); but excluded nodes'."""
    if graph.opset_of(model) < graph.QUANTIZABLE_OPSET:
        raise QuantizationError(
            "weights can't be stored as int8", expected=f"opset {graph.QUANTIZABLE_OPSET} or later", found=str(graph.opset_of(model))
        )
    result = graph.copy_of(model)
    return _tidy(result, store_weights(result, settings, file=file_beside(model, scratch)))


def halve_weights(model: onnx.ModelProto, settings: Quantization, calibration: Calibration, scratch: Path) -> onnx.ModelProto:  # noqa: ARG001  (a quantizer)
    """A copy whose large float32 weights are fp16, whatever they are used for."""
    result = graph.copy_of(model)
    outputs = {output.name for output in result.graph.output}
    nodes = [_store_half(tensor, None) for tensor in result.graph.initializer if _is_large(tensor) and tensor.name not in outputs]
    return _tidy(result, _put_first(result, nodes))


def store_weights(model: onnx.ModelProto, settings: Quantization, *, file: WeightFile | None = None) -> int:
    """Store large weights smaller, in place, except those of reverted nodes; returns how many became int8. Values go to ``file``, if any."""
    kept, finer = _inputs(model, settings.reverted), _inputs(model, settings.fp16_nodes)
    weights = {tensor.name: tensor for tensor in model.graph.initializer if _is_large(tensor) and len(tensor.dims) > 1 and tensor.name not in kept}
    axes = {name: axis for name, axis in _channel_axes(model, weights) if name not in finer}
    nodes: list[onnx.NodeProto | None] = [_store(model, weights[name], axis, file) for name, axis in axes.items()]
    nodes += [_store_half(weight, file) for name, weight in weights.items() if name in finer]
    _put_first(model, nodes)
    return len(axes)


def _inputs(model: onnx.ModelProto, names: Collection[str]) -> set[str]:
    return {name for node in model.graph.node if node.name in names for name in node.input}


def _tidy(model: onnx.ModelProto, count: int) -> onnx.ModelProto:
    if not count:
        raise NothingToQuantizeError("nothing in the graph can be quantized", found=f"no float32 weight of {MIN_ELEMENTS} elements or more")
    return graph.tidy(model)


def _put_first(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto | None]) -> int:
    """Put the nodes among these before the graph's own; returns how many they are."""
    first, others = [node for node in nodes if node is not None], [graph.copy_of(node) for node in model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend([*first, *others])
    return len(first)


def _is_large(tensor: onnx.TensorProto) -> bool:
    """Whether it is a float32 weight that is worth storing otherwise."""
    return tensor.data_type == onnx.TensorProto.FLOAT and int(np.prod(tensor.dims)) >= MIN_ELEMENTS


def _channel_axes(model: onnx.ModelProto, weights: dict[str, onnx.TensorProto]) -> Iterator[tuple[str, int]]:
    """Each weight with the axis of its channels, as its first user has them; of operators that are known."""
    seen: set[str] = set()
    for node in model.graph.node:
        if node.op_type not in _AXES or node.domain not in graph.DEFAULT_DOMAINS:
            continue
        for at, name in enumerate(node.input):
            axis = _AXES[node.op_type](node, at) if name in weights and name not in seen else None
            if axis is not None:
                seen.add(name)
                yield name, axis % len(weights[name].dims)


def _gemm(node: onnx.NodeProto, at: int) -> int | None:
    return (0 if transposes_weight(node) else 1) if at == 1 else None


#: Operator → (node, number of the input) → axis of the channels; None where the input is no weight.
_AXES: Final[dict[str, Callable[[onnx.NodeProto, int], int | None]]] = {
    "Conv": lambda _, at: 0 if at == 1 else None,
    "ConvTranspose": lambda _, at: 1 if at == 1 else None,
    "MatMul": lambda _, at: -1 if at == 1 else 0,
    "Gemm": _gemm,
    "Gather": lambda _, at: 0 if at == 0 else None,
    "LSTM": lambda _, at: 1 if at in (1, 2) else None,
    "GRU": lambda _, at: 1 if at in (1, 2) else None,
    "RNN": lambda _, at: 1 if at in (1, 2) else None,
}


def _store(model: onnx.ModelProto, tensor: onnx.TensorProto, axis: int, file: WeightFile | None) -> onnx.NodeProto:
    """Replace the weight by int8 values and scales; the node that gives it back under its own name."""
    integers, scales = symmetric_int8(values(tensor), axis)
    name = tensor.name
    tensor.CopyFrom(make_tensor(integers, f"{name}_int8", file))
    model.graph.initializer.append(make_tensor(scales, f"{name}_scale", file))
    return onnx.helper.make_node("DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [name], name=f"{name}_dequantize", axis=axis)


def _store_half(tensor: onnx.TensorProto, file: WeightFile | None) -> onnx.NodeProto | None:
    """Replace the weight by its fp16 values; the node that gives it back under its own name. None if fp16 can't hold its numbers."""
    weight, name = values(tensor), tensor.name
    with np.errstate(over="ignore"):
        half = weight.astype(np.float16)
    if np.abs(half).max() == np.inf:
        return None
    tensor.CopyFrom(make_tensor(half, f"{name}_fp16", file))
    return onnx.helper.make_node("Cast", [f"{name}_fp16"], [name], name=f"{name}_cast", to=onnx.TensorProto.FLOAT)


def symmetric_int8(weight: Array, axis: int, *, limit: int = 127) -> tuple[Array, Array]:
    """int8 values in ±limit with zero at 0, and float32 scales along the axis. Pure."""
    others = tuple(at for at in range(weight.ndim) if at != axis)
    largest = np.maximum(weight.max(axis=others), -weight.min(axis=others))
    scales = np.where(largest > 0, largest / limit, 1.0).astype(np.float32)
    shape = [-1 if at == axis else 1 for at in range(weight.ndim)]
    steps, result = scales.reshape(shape), np.empty(weight.shape, np.int8)
    rows = max(1, _PART // max(weight[:1].size, 1))
    for at in range(0, len(weight), rows):
        part = slice(at, at + rows)
        result[part] = np.clip(np.rint(weight[part] / (steps[part] if axis == 0 else steps)), -limit, limit)
    return result, scales
