"""Precision → quantizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import onnx

from sealift_packager.candidates.candidate import Candidate, Quantization
from sealift_packager.errors import NothingToQuantizeError, QuantizationError
from sealift_packager.graph.tensors import model_bytes, refers
from sealift_packager.quantize import blocks, half, onnxruntime_backend, weights
from sealift_packager.quantize.calibration import Calibration
from sealift_packager.quantize.sensitivity import OPERATORS
from sealift_packager.sandbox.activity import QUANTIZING, several

Quantizer = Callable[[onnx.ModelProto, Quantization, Calibration, Path], onnx.ModelProto]

#: Each takes a graph, the settings, what calibration saw and a scratch directory, and gives a graph.
QUANTIZERS: Final[dict[str, Quantizer]] = {
    "int8-dynamic": onnxruntime_backend.quantize_dynamic,
    "int8-static": onnxruntime_backend.quantize_static,
    "int8-weights": weights.quantize_weights,
    "fp16-weights": weights.halve_weights,
    "int8-blocks": blocks.quantize_blocks,
    "int4-blocks": blocks.quantize_blocks,
    "fp16": half.convert_half,
}
#: Those whose nodes can be left out one by one.
REVERTIBLE: Final = frozenset({"int8-dynamic", "int8-static", "int8-weights", "int8-blocks", "int4-blocks"})
#: Those that work on weights one at a time, so that these may be in files. fp16-weights could, but unfolds in a session to as much again as fp32 is.
STREAMING: Final = frozenset({"int8-weights", "int8-blocks", "int4-blocks"})

_TYPES: Final[dict[int, str]] = {onnx.TensorProto.DOUBLE: "float64", onnx.TensorProto.FLOAT16: "float16"}


def check_buildable(candidate: Candidate, model: onnx.ModelProto) -> None:
    """Check that a precision can be made of a graph: of one whose weights are in files, `STREAMING` ones alone.

    Args:
        candidate: The candidate.
        model: The fp32 graph.

    Raises:
        QuantizationError: If it can't.
        NothingToQuantizeError: If the graph computes in another type than float32.
    """
    if candidate.quantization is None:
        return
    other = next(_other_weights(model), None)
    if other is not None:
        advice = "To have it quantized, pack the module in float32 (model.float())."
        found = _TYPES[other.data_type]
        raise NothingToQuantizeError("the model computes in another type than float32", where=other.name, found=found, advice=advice)
    if candidate.precision not in STREAMING and refers(model):
        raise QuantizationError(
            "this precision needs a model whose weights fit in one protobuf message",
            expected=", ".join(sorted(STREAMING)),
            found=f"{model_bytes(model) >> 20:,} MiB",
        )


def _other_weights(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """The weights of products and convolutions that aren't float32: quantizers write float32 scales, and would change what comes next."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type in _TYPES}
    return (weights[name] for node in model.graph.node if node.op_type in OPERATORS for name in node.input[1:2] if name in weights)


@several(QUANTIZING)
def quantize(candidate: Candidate, model: onnx.ModelProto, calibration: Calibration, scratch: Path) -> onnx.ModelProto:
    """Make a candidate's graph by the quantizer of its precision.

    Args:
        candidate: The candidate.
        model: The fp32 graph.
        calibration: What calibration rows showed; empty where the precision needs none.
        scratch: A folder for intermediate files.

    Returns:
        The graph; that of fp32 is ``model`` itself.

    Raises:
        QuantizationError: If the graph can't be quantized so; `NothingToQuantizeError` if there is nothing in it to quantize.
    """
    if candidate.quantization is None:
        return model
    return QUANTIZERS[candidate.precision](model, candidate.quantization, calibration, scratch)
