"""int8 weights, fp32 compute: a quarter of the size at the speed of fp32.

Each weight becomes int8 behind a DequantizeLinear, which onnxruntime folds away when it loads the graph; the session entry
``session.disable_quant_qdq`` keeps it from computing in int8 instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

from sealift_packager.candidates.spec import Quantization
from sealift_packager.convert import graph
from sealift_packager.errors import NothingToQuantizeError, QuantizationError
from sealift_packager.load.source import Array
from sealift_packager.quantize.calibration import Calibration
from sealift_packager.tensors import WeightFile, file_beside, make_tensor, values

#: Smaller tensors would hardly shrink: a scale per channel is stored beside them.
MIN_ELEMENTS: Final = 512
#: DequantizeLinear takes an axis from this opset on.
MIN_OPSET: Final = 13
#: So many values at most are rounded at a time, so that this takes little memory beside them.
_PART: Final = 2**24


def quantize_weights(model: Any, settings: Quantization, calibration: Calibration, scratch: Path) -> Any:  # noqa: ARG001  (a quantizer)
    """A copy whose large float32 weights are int8, symmetric, with a scale per output channel (per row of an embedding), but reverted nodes'."""
    if graph.opset_of(model) < MIN_OPSET:
        raise QuantizationError("weights can't be stored as int8", expected=f"opset {MIN_OPSET} or later", found=str(graph.opset_of(model)))
    result = graph.copy_of(model)
    if not store_weights(result, spared=settings.reverted, file=file_beside(model, scratch)):
        raise NothingToQuantizeError("nothing in the graph can be quantized", found=f"no float32 weight of {MIN_ELEMENTS} elements or more")
    return graph.tidy(result)


def store_weights(model: Any, *, spared: Collection[str] = (), file: WeightFile | None = None) -> int:
    """Store the large weights as int8, in place (their values in ``file``, if there is one), but those of the nodes that are ``spared``; how many."""
    kept = {name for node in model.graph.node if node.name in spared for name in node.input}
    weights = {row.name: row for row in model.graph.initializer if _is_large(row) and row.name not in kept}
    axes = dict(_channel_axes(model, weights))
    nodes = [_store(model, weights[name], axis, file) for name, axis in axes.items()]
    rest = [graph.copy_of(node) for node in model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
    return len(axes)


def _is_large(tensor: Any) -> bool:
    return tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1 and int(np.prod(tensor.dims)) >= MIN_ELEMENTS


def _channel_axes(model: Any, weights: dict[str, Any]) -> Iterator[tuple[str, int]]:
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


def _gemm(node: Any, at: int) -> int | None:
    transposed = any(row.name == "transB" and row.i for row in node.attribute)
    return (0 if transposed else 1) if at == 1 else None


#: Operator → (node, number of the input) → axis of the channels; None where the input is no weight.
_AXES: Final[dict[str, Any]] = {
    "Conv": lambda _, at: 0 if at == 1 else None,
    "ConvTranspose": lambda _, at: 1 if at == 1 else None,
    "MatMul": lambda _, at: -1 if at == 1 else 0,
    "Gemm": _gemm,
    "Gather": lambda _, at: 0 if at == 0 else None,
    "LSTM": lambda _, at: 1 if at in (1, 2) else None,
    "GRU": lambda _, at: 1 if at in (1, 2) else None,
    "RNN": lambda _, at: 1 if at in (1, 2) else None,
}


def _store(model: Any, tensor: Any, axis: int, file: WeightFile | None) -> Any:
    """Replace the weight by int8 values and scales; the node that gives it back under its own name."""
    integers, scales = symmetric_int8(values(tensor), axis)
    name = tensor.name
    tensor.CopyFrom(make_tensor(integers, f"{name}_int8", file))
    model.graph.initializer.append(make_tensor(scales, f"{name}_scale", file))
    return onnx.helper.make_node("DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [name], name=f"{name}_dequantize", axis=axis)


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
