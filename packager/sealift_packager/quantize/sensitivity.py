"""How much each node loses by int8 on its own: its inputs as fp32 gives them, rounded to 8 bits, against the same inputs as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import onnx

from sealift_packager.candidates.candidate import Quantization
from sealift_packager.graph.session import Settings, open_session
from sealift_packager.graph.tensors import values
from sealift_packager.model.source import Array, Arrays
from sealift_packager.quantize.editing import returning, transposes_weight
from sealift_packager.quantize.ranges import METHODS, Histogram
from sealift_packager.quantize.weights import symmetric_int8
from sealift_packager.sandbox.activity import QUANTIZING, several

#: Operators that int8 stores or computes, with a weight at input 1.
OPERATORS: Final = ("Conv", "MatMul", "Gemm")
#: Those among them whose activations are rounded at run time, where they aren't calibrated.
DYNAMIC_OPERATORS: Final = ("MatMul", "Gemm")
REQUESTS: Final = 16


@several(QUANTIZING)
def node_errors(model: onnx.ModelProto, settings: Quantization, histograms: Mapping[str, Histogram], requests: Sequence[Arrays]) -> dict[str, float]:
    """Relative squared error of each quantizable node's output by name, worst first.

    Activations are rounded to the ranges of ``settings.calibration``, or to each request's own where that is empty.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in OPERATORS and len(node.input) > 1 and node.input[0] not in weights]
    nodes = [node for node in nodes if node.input[1] in weights or _rounds_activations(node, settings)]
    inputs = sorted({name for node in nodes for name in node.input[:2] if name not in weights})
    captured = list(_captured(model, inputs, requests[:REQUESTS]))
    errors = {node.name: _error(model, node, weights, settings, histograms, captured) for node in nodes}
    return dict(sorted(errors.items(), key=lambda item: (-item[1], item[0])))


def lightest_first(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes, those with the fewest weights (in elements) first: what it costs least to exclude."""
    elements = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer}
    return [node.name for node in sorted(model.graph.node, key=lambda node: sum(elements.get(name, 0) for name in node.input))]


def _rounds_activations(node: onnx.NodeProto, settings: Quantization) -> bool:
    if settings.activation == "float32":
        return False
    return bool(settings.calibration) or node.op_type in DYNAMIC_OPERATORS


def _captured(model: onnx.ModelProto, names: list[str], requests: Sequence[Arrays]) -> Iterator[dict[str, Array]]:
    """Each request with the tensors of these names that the graph computes for it."""
    session = open_session(returning(model, names), Settings(graph_optimization="disable"), where="sensitivity")
    computed = sorted({output.name for output in session.get_outputs()}.intersection(names))
    for request in requests:
        yield {**request, **(dict(zip(computed, session.run(computed, dict(request)), strict=True)) if computed else {})}


def _error(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    weights: Mapping[str, onnx.TensorProto],
    settings: Quantization,
    histograms: Mapping[str, Histogram],
    captured: list[dict[str, Array]],
) -> float:
    run = _alone(model, node)
    constants = {name: values(weights[name]) for name in node.input if name in weights}
    rounded = {name: _rounded_weight(value, node, settings) if name == node.input[1] else value for name, value in constants.items()}
    lost = kept = 0.0
    for tensors in captured:
        exact = {name: tensors[name] for name in node.input if name and name not in weights}
        coarse = exact
        if _rounds_activations(node, settings):
            coarse = {name: _rounded(value, settings, histograms.get(name)) for name, value in exact.items()}
        reference, quantized = run({**constants, **exact}), run({**rounded, **coarse})
        known = np.isfinite(reference) & np.isfinite(quantized)  # a row that lacks a number may have none in here
        lost += float(np.square((quantized - reference)[known], dtype=np.float64).sum())
        kept += float(np.square(reference[known], dtype=np.float64).sum())
    return lost / kept if kept else 0.0


def _alone(model: onnx.ModelProto, node: onnx.NodeProto) -> Callable[[Arrays], Array]:
    """What runs the node as a graph of its own, with weights among its inputs."""
    names = list(dict.fromkeys(name for name in node.input if name))
    inputs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names]
    output = onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None)
    alone = onnx.helper.make_model(
        onnx.helper.make_graph([node], "node", inputs, [output]), opset_imports=list(model.opset_import), ir_version=model.ir_version
    )
    session = open_session(alone, Settings(), where=node.name)
    return lambda tensors: session.run(None, {name: tensors[name] for name in names})[0]


def _rounded(activation: Array, settings: Quantization, histogram: Histogram | None) -> Array:
    if histogram is not None and settings.calibration in METHODS:
        low, high = METHODS[settings.calibration](histogram)
    else:
        finite = activation[np.isfinite(activation)]
        low, high = float(finite.min(initial=0)), float(finite.max(initial=0))
    low, high = min(low, 0.0), max(high, 0.0)
    if settings.activation == "int8":
        high = max(-low, high)
        low = -high
    step = (high - low) / 255 or 1.0
    result: Array = (np.clip(np.rint((activation - low) / step), 0, 255) * step + low).astype(np.float32)
    return result


def _rounded_weight(weight: Array, node: onnx.NodeProto, settings: Quantization) -> Array:
    axis = 0 if node.op_type == "Conv" or transposes_weight(node) else weight.ndim - 1
    limit = 7 if settings.weight == "int4" else 64 if settings.reduce_range else 127
    integers, scales = symmetric_int8(weight, axis, limit=limit)
    shape = [-1 if at == axis else 1 for at in range(weight.ndim)]
    result: Array = (integers * scales.reshape(shape)).astype(np.float32)
    return result
