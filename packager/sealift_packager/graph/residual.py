"""A residual's Add as a Sum, so that onnxruntime leaves it and the LayerNormalization behind it two operators.

onnxruntime fuses the two into SkipLayerNormalization, whose CPU kernel goes number by number. LayerNormalization on its own has had an AVX2 kernel
since onnxruntime 1.30 (its pull request 31973) and then takes a quarter of the time, Sum included: a sentence encoder is 3 % quicker in fp32, some
10 % in int8. The fusion looks for Add alone; a Sum of two computes the same.
"""

from __future__ import annotations

from typing import Final

import onnx
import onnxruntime
from packaging.version import Version

from sealift_core.hardware.profile import HardwareProfile
from sealift_packager.graph import graph

#: From here on the separate operators win; before, they lose up to a tenth.
MIN_ONNXRUNTIME: Final = Version("1.30")


def wins_apart(profile: HardwareProfile, version: str = onnxruntime.__version__) -> bool:
    """Whether the separate operators are quicker: on x86-64 with AVX2, by the CPU kernels of this version of onnxruntime."""
    has_kernel = profile.cpu.arch == "x86_64" and "avx2" in profile.cpu.required_flags
    return has_kernel and profile.providers[0] == "CPUExecutionProvider" and Version(version) >= MIN_ONNXRUNTIME


def separate_residuals(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with a Sum for each Add of two computed values that a float32 LayerNormalization takes; a bias stays with its product."""
    result = graph.copy_of(model)
    floats = {tensor.name for tensor in result.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    normalized = {node.input[0] for node in result.graph.node if node.op_type == "LayerNormalization" and node.input[1] in floats}
    constants = {tensor.name for tensor in result.graph.initializer}
    for node in result.graph.node:
        if node.op_type == "Add" and node.output[0] in normalized and not constants & set(node.input):
            node.op_type = "Sum"
    return result
