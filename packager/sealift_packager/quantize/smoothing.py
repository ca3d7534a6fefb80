"""Activations made easier to round: what is large in one channel moves into that channel's weights.

A MatMul's input is divided, and its weights are multiplied, channel by channel by s = max|x|^α / max|w|^(1-α): the product stays what it was, but
one scale for the whole input no longer has to span a few channels of outliers (SmoothQuant, Xiao et al. 2022, https://arxiv.org/abs/2211.10438).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import onnx

from sealift_packager.graph import graph
from sealift_packager.graph.session import Settings, open_session
from sealift_packager.graph.tensors import values
from sealift_packager.model.source import Array, Arrays
from sealift_packager.quantize.editing import drop_unused_weights, insert_before, returning
from sealift_packager.sandbox.activity import QUANTIZING, several

#: The α that are tried, 0 being no smoothing. Published models do best between 0.5 and 0.8; MiniLM at 0.7.
STRENGTHS: Final = (0.0, 0.6, 0.7, 0.8)
#: A few requests show the largest values; each request captures every input of a MatMul.
REQUESTS: Final = 64
#: A channel that is small in the calibration data counts as this share of the median one; otherwise its scale could blow up on other rows.
LEAST_SHARE: Final = 0.1
_LEAST: Final = 1e-5


@several(QUANTIZING)
def channel_maxima(model: onnx.ModelProto, requests: Iterable[Arrays]) -> tuple[dict[str, Array], int]:
    """The largest magnitude of each channel (last axis) of what MatMuls with constant weights take, by tensor name; and how many requests ran."""
    names = sorted({node.input[0] for node in _products(model)})
    session = open_session(returning(model, names), Settings(graph_optimization="disable"), where="smoothing")
    computed = [name for name in names if name not in {input_.name for input_ in model.graph.input}]
    maxima: dict[str, Array] = {}
    used = list(itertools.islice(requests, REQUESTS))
    for request in used:
        tensors = {**request, **dict(zip(computed, session.run(computed, dict(request)) if computed else (), strict=True))}
        for name in names:
            largest = np.abs(np.nan_to_num(tensors[name], posinf=0, neginf=0)).reshape(-1, tensors[name].shape[-1]).max(axis=0, initial=0)
            maxima[name] = np.maximum(maxima[name], largest) if name in maxima else largest
    return maxima, len(used)


def smooth(model: onnx.ModelProto, maxima: Mapping[str, Array], strength: float) -> onnx.ModelProto:
    """A copy with a Mul before each MatMul whose input was seen; ``strength`` is α, between 0 and 1."""
    result = graph.copy_of(model)
    weights = {tensor.name: tensor for tensor in result.graph.initializer}
    smoothed = [node for node in _products(result) if node.input[0] in maxima]
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in smoothed:
        users.setdefault(node.input[0], []).append(node)
    before: dict[str, list[onnx.NodeProto]] = {}
    for name, nodes in users.items():
        products = {node.input[1]: values(weights[node.input[1]]) for node in nodes}
        scales = _scales(maxima[name], products.values(), strength)
        result.graph.initializer.append(onnx.numpy_helper.from_array((1 / scales).astype(np.float32), f"{name}_smoothing"))
        before[nodes[0].name] = [onnx.helper.make_node("Mul", [name, f"{name}_smoothing"], [f"{name}_smooth"], name=f"{name}_smoothing")]
        for weight, value in products.items():
            result.graph.initializer.append(onnx.numpy_helper.from_array(value * scales[:, None], f"{weight}_{name}_smooth"))
        for node in nodes:
            node.input[:] = [f"{name}_smooth", f"{node.input[1]}_{name}_smooth"]
    insert_before(result, before)
    drop_unused_weights(result)
    return result


def has_products(model: onnx.ModelProto) -> bool:
    """Whether there is anything to smooth."""
    return bool(_products(model))


def _products(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """MatMuls with a constant matrix [channels, outputs] of float32 at input 1."""
    matrices = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2 and tensor.data_type == onnx.TensorProto.FLOAT}
    return [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in matrices and node.input[0] not in matrices]


def _scales(activations: Array, weights: Iterable[Array], strength: float) -> Array:
    """By channel, their geometric mean 1: the sizes of all values stay what they were on the whole."""
    largest = np.max([np.abs(value).max(axis=1) for value in weights], axis=0)
    shown = np.maximum(activations, max(LEAST_SHARE * float(np.median(activations)), _LEAST))
    raw = shown**strength / np.maximum(largest, _LEAST) ** (1 - strength)
    scales: Array = (raw / np.exp(np.log(raw).mean())).astype(np.float32)
    return scales
