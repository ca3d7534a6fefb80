"""Can a graph's int8 products saturate where pairs of them are summed in 16 bits (x86-64 without VNNI)? Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx

from sealift_packager.graph.tensors import values
from sealift_packager.model.source import Array

#: Two neighbouring weights may be this large together: 255 · 128 = 32,640 still fits 16 bits.
PAIR_LIMIT: Final = 128
_COMPUTED: Final = ("MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", "DynamicQuantizeLSTM", "QAttention")


def may_saturate(model: onnx.ModelProto, *, fused: bool) -> tuple[str, ...]:
    """The int8 weights of which two could overflow together, whatever the activations; empty proves that nothing saturates.

    ``fused``: onnxruntime turns Q/DQ pairs into int8 operators, so weights behind a DequantizeLinear count. uint8 weights don't: onnxruntime
    multiplies those in 16 bits and sums them in 32.
    """
    computed = (*_COMPUTED, "DequantizeLinear") if fused else _COMPUTED
    used = {name for node in model.graph.node if node.op_type in computed for name in node.input}
    weights = [
        tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1 and tensor.name in used
    ]
    return tuple(weight.name for weight in weights if _largest_pair(values(weight)) > PAIR_LIMIT)


def _largest_pair(weight: Array) -> int:
    sizes = np.abs(weight.astype(np.int16)).ravel()
    return int(np.partition(sizes, -2)[-2:].sum()) if sizes.size > 1 else int(sizes.sum())
