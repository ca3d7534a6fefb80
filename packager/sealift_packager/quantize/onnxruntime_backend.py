"""onnxruntime.quantization behind typed settings, quiet, and with nothing left behind."""

from __future__ import annotations

import collections
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

from sealift_packager.candidates.candidate import Quantization
from sealift_packager.errors import NothingToQuantizeError
from sealift_packager.graph import graph
from sealift_packager.graph.session import save_optimized
from sealift_packager.graph.tensors import refer_to_files, refers
from sealift_packager.quantize.calibration import Calibration
from sealift_packager.quantize.editing import drop_unused_weights, flatten_biases, untranspose_shared
from sealift_packager.quantize.ranges import METHODS
from sealift_packager.quantize.scales import drop_zero_points, shared_scales
from sealift_packager.quantize.smoothing import smooth
from sealift_packager.quantize.translate import translating
from sealift_packager.quantize.weights import store_weights
from sealift_packager.sandbox.activity import QUANTIZING, several

#: What the quantizers put into a graph that they changed.
_QUANTIZED_OPS: Final = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger", "QLinearConv"})
#: onnxruntime has int8 kernels with a float32 output for these.
_FLOAT_OUTPUT_OPS: Final = ("Gemm", "MatMul")
#: What is worth quantizing dynamically.
_DYNAMIC_OPS: Final = ("MatMul", "Gemm", "Attention", "LSTM", "Gather")


def quantize_dynamic(model: onnx.ModelProto, settings: Quantization, calibration: Calibration, scratch: Path) -> onnx.ModelProto:
    """Weights to int8 now, activations at run time.

    Convolutions are computed in fp32, for their dynamic kernel is slow everywhere; their weights are stored as int8.
    """
    from onnxruntime import quantization

    def quantize_file(source: Path, target: Path) -> None:
        """Quantize the model in ``source`` into ``target``."""
        quantization.quantize_dynamic(
            source,
            target,
            op_types_to_quantize=list(_DYNAMIC_OPS),
            per_channel=settings.per_channel,
            reduce_range=settings.reduce_range,
            weight_type=_quant_type(settings.weight),
            nodes_to_exclude=list(settings.excluded_nodes),
        )

    smoothed = smooth(model, calibration.maxima, settings.smoothing) if settings.smoothing else model
    result = _quantized(untranspose_shared(smoothed), scratch, quantize_file)
    store_weights(result, settings)
    return graph.tidy(result)


def quantize_static(model: onnx.ModelProto, settings: Quantization, calibration: Calibration, scratch: Path) -> onnx.ModelProto:
    """Weights and activations to int8 as Q/DQ pairs, activation ranges from the calibration data."""
    from onnxruntime.quantization import CalibrationMethod, QDQQuantizer
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.registry import QDQRegistry

    def quantize_file(source: Path, target: Path) -> None:
        """Quantize the model in ``source`` into ``target``."""
        seen = {name: METHODS[settings.calibration](histogram) for name, histogram in calibration.histograms.items()}
        ranges = {name: (np.float32(low), np.float32(high)) for name, (low, high) in seen.items()}
        one_scale = {"symmetric": True, "reduce_range": settings.reduce_range}
        shared = shared_scales(model) if settings.per_channel and settings.weight == "int8" else []
        quantizer = QDQQuantizer(
            onnx.load(source),
            settings.per_channel,
            settings.reduce_range,
            _quant_type(settings.weight),
            _quant_type(settings.activation),
            TensorsData(CalibrationMethod.MinMax, ranges),
            [],
            list(settings.excluded_nodes),
            list(QDQRegistry),
            # Signed activations with zero at 0: what Arm's kernels are quick with.
            {
                "ActivationSymmetric": settings.activation == "int8",
                "WeightSymmetric": settings.weight == "int8",
                "TensorQuantOverrides": {name: [one_scale] for name in shared},
            },
        )
        quantizer.quantize_model()
        quantizer.model.save_model_to_file(str(target), use_external_data_format=False)

    result = _quantized(model, scratch, quantize_file)
    drop_zero_points(result)
    del result.graph.value_info[:]  # onnxruntime infers them again
    return result


@several(QUANTIZING)
def prepare(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    """The graph that quantizers start from: fused, shapes known, every node named.

    Symbolic shape inference is left out: it fails on graphs that plain inference handles, and leaves its work files behind.
    """
    result = _fused_in_files(model, scratch) if refers(model) else _fused(model, scratch)
    flatten_biases(result)
    for number, node in enumerate(result.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
    return result


def _fused(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    from onnxruntime.quantization import quant_pre_process

    with tempfile.TemporaryDirectory(dir=scratch, prefix="prepare.") as folder, translating():
        plain, prepared = Path(folder, "plain.onnx"), Path(folder, "prepared.onnx")
        onnx.save(model, plain)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        return onnx.load(prepared)


def _fused_in_files(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    """The same for weights in files, by onnxruntime itself: its tool would hold all of them, several times."""
    folder = Path(tempfile.mkdtemp(dir=scratch, prefix="prepared."))
    with translating():
        save_optimized(model, folder / "prepared.onnx")
        result = onnx.load(folder / "prepared.onnx", load_external_data=False)
        refer_to_files(result, folder)
    return graph.infer_shapes(result)


def _quantized(model: onnx.ModelProto, scratch: Path, quantize_file: Callable[[Path, Path], None]) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory(dir=scratch, prefix="quantize.") as folder, translating():
        source, target = Path(folder, "source.onnx"), Path(folder, "quantized.onnx")
        onnx.save(model, source)
        quantize_file(source, target)
        result = onnx.load(target)
    if not any(node.op_type in _QUANTIZED_OPS for node in result.graph.node):
        operators = ", ".join(sorted({node.op_type for node in model.graph.node}))
        raise NothingToQuantizeError("nothing in the graph can be quantized", found=f"only {operators}")
    return graph.tidy(float_outputs(result))


def float_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose outputs are not rounded to 8 bits: a Q/DQ pair at the very end costs precision and saves nothing."""
    result = graph.copy_of(model)
    for output in result.graph.output:
        chain = _last_nodes(result, output.name)
        if [node.op_type for node in chain[:2]] == ["DequantizeLinear", "QuantizeLinear"] and chain[2].op_type in _FLOAT_OUTPUT_OPS:
            chain[2].output[0] = output.name
            for node in chain[:2]:
                result.graph.node.remove(node)
    drop_unused_weights(result)
    return result


def _last_nodes(model: onnx.ModelProto, output: str) -> list[onnx.NodeProto]:
    """The three nodes that lead to an output, last first, as long as nothing else uses what lies between; else none."""
    producers = {name: node for node in model.graph.node for name in node.output}
    uses = collections.Counter(name for node in model.graph.node for name in node.input)
    chain: list[onnx.NodeProto] = []
    name, allowed = output, 0
    while len(chain) < 3:
        if name not in producers or uses[name] != allowed:
            return []
        chain.append(producers[name])
        name, allowed = chain[-1].input[0] if chain[-1].input else "", 1
    return chain


def _quant_type(dtype: str) -> Any:
    from onnxruntime.quantization import QuantType

    return {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}[dtype]
