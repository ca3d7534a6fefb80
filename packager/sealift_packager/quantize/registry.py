"""Precision → quantizer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sealift_packager.candidates.built import Built, NotBuilt
from sealift_packager.candidates.spec import CandidateSpec, Quantization
from sealift_packager.errors import QuantizationError
from sealift_packager.load.source import Arrays
from sealift_packager.quantize import onnxruntime_backend, weights

Quantizer = Callable[[Any, Quantization, Arrays, Path], Any]

#: Each takes a tidy fp32 graph, the settings, calibration rows and a scratch directory, and gives a graph.
QUANTIZERS: Final[dict[str, Quantizer]] = {
    "int8-dynamic": onnxruntime_backend.quantize_dynamic,
    "int8-static": onnxruntime_backend.quantize_static,
    "int8-weights": weights.quantize_weights,
}


def build_candidate(spec: CandidateSpec, model: Any, calibration: Arrays, scratch: Path) -> Built | NotBuilt:
    """The candidate's graph, or why there is none; fp32 is the graph itself."""
    if spec.quantization is None:
        return Built(spec=spec, model=model)
    try:
        return Built(spec=spec, model=QUANTIZERS[spec.precision](model, spec.quantization, calibration, scratch))
    except QuantizationError as error:
        return NotBuilt(spec=spec, reason=str(error))
