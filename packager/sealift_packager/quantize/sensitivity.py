"""How much each node loses by int8 on its own: its inputs as fp32 gives them, rounded to 8 bits, against the same inputs as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import onnx

from sealift_packager.candidates.candidate import Quantization
from sealift_packager.graph import graph
from sealift_packager.graph.session import Settings, open_session
from sealift_packager.graph.tensors import values
from sealift_packager.model.source import Array, Arrays
from sealift_packager.quantize.ranges import METHODS, Histogram
from sealift_packager.quantize.weights import symmetric_int8
from sealift_packager.sandbox.activity import QUANTIZING, several

#: Operators that int8 stores or computes, with a weight at input 1.
OPERATORS: Final = ("Conv", "MatMul", "Gemm")
#: Those among them whose activations are rounded at run time, where they aren't calibrated.
DYNAMIC_OPERATORS: Final = ("MatMul", "Gemm")
ROWS: Final = 16


@several(QUANTIZING)
def node_errors(model: onnx.ModelProto, settings: Quantization, histograms: Mapping[str, Histogram], rows: Sequence[Arrays]) -> dict[str, float]:
    """Relative squared error of each quantizable node's output by name, worst first.

    ``rows`` are requests; activations are rounded to the ranges of ``settings.calibration``, or to each request's own where that is empty.
    """
    weights = {row.name: row for row in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in OPERATORS and len(node.input) > 1 and node.input[0] not in weights]
    nodes = [node for node in nodes if node.input[1] in weights or _rounds_activations(node, settings)]
    inputs = sorted({name for node in nodes for name in node.input[:2] if name not in weights})
    captured = list(_captured(model, inputs, rows[:ROWS]))
    errors = {node.name: _error(model, node, weights, settings, histograms, captured) for node in nodes}
    return dict(sorted(errors.items(), key=lambda row: (-row[1], row[0])))


def lightest_first(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes, those with the fewest weights (in elements) first: what it costs least to exclude."""
    elements = {row.name: int(np.prod(row.dims)) for row in model.graph.initializer}
    return [node.name for node in sorted(model.graph.node, key=lambda node: sum(elements.get(name, 0) for name in node.input))]


def _rounds_activations(node: onnx.NodeProto, settings: Quantization) -> bool:
    if settings.activation == "float32":
        return False
    return bool(settings.calibration) or node.op_type in DYNAMIC_OPERATORS


def _captured(model: onnx.ModelProto, names: list[str], rows: Sequence[Arrays]) -> Iterator[dict[str, Array]]:
    watched = graph.copy_of(model)
    known = {row.name for row in (*model.graph.output, *model.graph.input)}
    watched.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names if name not in known)
    session = open_session(watched, Settings(graph_optimization="disable"), where="sensitivity")
    wanted = [name for name in names if name in {row.name for row in session.get_outputs()}]
    for row in rows:
        found = dict(zip(wanted, session.run(wanted, dict(row)), strict=True)) if wanted else {}
        yield {**row, **found}


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
    for row in captured:
        exact = {name: row[name] for name in node.input if name and name not in weights}
        coarse = exact
        if _rounds_activations(node, settings):
            coarse = {name: _rounded(value, settings, histograms.get(name)) for name, value in exact.items()}
        reference, found = run({**constants, **exact}), run({**rounded, **coarse})
        lost += float(np.square(found - reference, dtype=np.float64).sum())
        kept += float(np.square(reference, dtype=np.float64).sum())
    return lost / kept if kept else 0.0


def _alone(model: onnx.ModelProto, node: onnx.NodeProto) -> Callable[[Arrays], Array]:
    """The node as a graph of its own, weights given like everything else."""
    names = list(dict.fromkeys(name for name in node.input if name))
    inputs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names]
    output = onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None)
    alone = onnx.helper.make_model(
        onnx.helper.make_graph([node], "node", inputs, [output]), opset_imports=list(model.opset_import), ir_version=model.ir_version
    )
    session = open_session(alone, Settings(), where=node.name)
    return lambda given: session.run(None, {name: given[name] for name in names})[0]


def _rounded(found: Array, settings: Quantization, seen: Histogram | None) -> Array:
    if seen is not None and settings.calibration in METHODS:
        low, high = METHODS[settings.calibration](seen)
    else:
        low, high = float(found.min(initial=0)), float(found.max(initial=0))
    low, high = min(low, 0.0), max(high, 0.0)
    if settings.activation == "int8":
        high = max(-low, high)
        low = -high
    step = (high - low) / 255 or 1.0
    result: Array = (np.clip(np.rint((found - low) / step), 0, 255) * step + low).astype(np.float32)
    return result


def _rounded_weight(weight: Array, node: onnx.NodeProto, settings: Quantization) -> Array:
    transposed = any(row.name == "transB" and row.i for row in node.attribute)
    axis = 0 if node.op_type == "Conv" or transposed else weight.ndim - 1
    limit = 7 if settings.weight == "int4" else 64 if settings.reduce_range else 127
    integers, scales = symmetric_int8(weight, axis, limit=limit)
    shape = [-1 if at == axis else 1 for at in range(weight.ndim)]
    result: Array = (integers * scales.reshape(shape)).astype(np.float32)
    return result
