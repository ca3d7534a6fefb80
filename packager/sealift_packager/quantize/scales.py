"""Scales that cost bytes and buy nothing: which convolutions can do with one, and zero points that are zero. Pure.

A convolution with few weights for each channel (1x1, depthwise) has nearly as many bytes of scales as of weights: a scale for each channel, and one
for each number of its bias.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx

from sealift_packager.quantize.editing import drop_unused_weights

#: One scale may cost each channel, on average, this share of its weights' squares: what int8 costs an activation whose peak is five deviations.
SHARED_ERROR: Final = (2 * 5 / 255) ** 2 / 12
#: Scales of a smaller share of a weight's bytes are left alone.
WORTH_SHARE: Final = 0.01
_SCALE_BYTES: Final = 8
_LARGEST: Final = 127


def shared_scales(model: onnx.ModelProto) -> list[str]:
    """The weights of convolutions that int8 with one scale is accurate enough for, where their scales weigh something.

    Args:
        model: A float32 graph; a convolution's weights are [channels, …].

    Returns:
        The names of the weights.
    """
    used = {node.input[1] for node in model.graph.node if node.op_type == "Conv"}
    weights = ((tensor.name, onnx.numpy_helper.to_array(tensor)) for tensor in model.graph.initializer if tensor.name in used)
    return [name for name, weight in weights if _SCALE_BYTES * len(weight) >= WORTH_SHARE * weight.size and shared_error(weight) <= SHARED_ERROR]


def shared_error(weight: np.ndarray[Any, np.dtype[Any]]) -> float:
    """What rounding weights [channels, …] to int8 with one scale costs.

    Args:
        weight: The weights.

    Returns:
        The squared error as a share of a channel's squares, on average over the channels; a channel of zeros loses nothing.
    """
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    step = np.abs(rows).max(initial=0.0) / _LARGEST
    if not step or not np.isfinite(step):
        return 0.0
    squares = (rows**2).sum(axis=1)
    errors = ((np.round(rows / step) * step - rows) ** 2).sum(axis=1)
    return float((errors / np.where(squares > 0, squares, 1.0)).mean())


def drop_zero_points(model: onnx.ModelProto) -> None:
    """Remove, in place, the zero points of convolutions' weights and biases that are all zero: that is what their absence means.

    Those of other operators stay: onnxruntime (1.20 to 1.31) doesn't fuse a Gemm without them.
    """
    zeros = {
        tensor.name for tensor in model.graph.initializer if tensor.name.endswith("_zero_point") and not onnx.numpy_helper.to_array(tensor).any()
    }
    fused = {name for node in model.graph.node if node.op_type == "Conv" for name in node.input[1:]}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.output[0] in fused and len(node.input) == 3 and node.input[2] in zeros:
            del node.input[2]
    drop_unused_weights(model)
