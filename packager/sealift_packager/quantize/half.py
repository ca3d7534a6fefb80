"""fp16 for providers that compute in it: weights and operators in half precision, inputs and outputs in float32 as they were."""

from __future__ import annotations

from pathlib import Path

import onnx

from sealift_packager.candidates.candidate import Quantization
from sealift_packager.graph import graph
from sealift_packager.quantize.calibration import Calibration
from sealift_packager.quantize.translate import translating


def convert_half(model: onnx.ModelProto, settings: Quantization, calibration: Calibration, scratch: Path) -> onnx.ModelProto:  # noqa: ARG001  (a quantizer)
    """A copy in fp16; numbers that it can't hold become its least and its largest."""
    with translating():
        from onnxruntime.transformers.float16 import convert_float_to_float16

        return graph.tidy(convert_float_to_float16(graph.copy_of(model), keep_io_types=True))
