"""Profile → candidates."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

from sealift_core.hardware.profile import HardwareProfile, Int8Recipe
from sealift_packager.candidates.candidate import Candidate, Quantization

FP32: Final = Candidate(name="fp32", precision="fp32")


def _dynamic(int8: Int8Recipe) -> Quantization:
    # onnxruntime's dynamic kernels take uint8 activations whatever the profile says.
    return Quantization(activation="uint8", weight=int8.weight, reduce_range=int8.reduce_range, per_channel=int8.per_channel)


def _static(int8: Int8Recipe) -> Quantization:
    return Quantization(
        activation=int8.activation, weight=int8.weight, reduce_range=int8.reduce_range, per_channel=int8.per_channel, calibration="best"
    )


def _weights(int8: Int8Recipe) -> Quantization:  # noqa: ARG001  (nothing is computed in int8, so the hardware does not matter)
    return Quantization(activation="float32", weight="int8", reduce_range=False, per_channel=True)


def _half_weights(int8: Int8Recipe) -> Quantization:  # noqa: ARG001  (as above)
    return Quantization(activation="float32", weight="float16", reduce_range=False, per_channel=False)


def _blocks(weight: str, block_size: int, int8: Int8Recipe) -> Quantization:  # noqa: ARG001  (int8 in every profile's blocks)
    # int4 needs the smaller blocks to keep its accuracy; int8 keeps it with large ones, which are quicker.
    return Quantization(activation="int8", weight=weight, reduce_range=False, per_channel=True, block_size=block_size)


def _half(int8: Int8Recipe) -> Quantization:  # noqa: ARG001  (no int8 in it)
    return Quantization(activation="float16", weight="float16", reduce_range=False, per_channel=False)


#: Precision → the settings that are sound on a profile's hardware.
SETTINGS: Final[dict[str, Callable[[Int8Recipe], Quantization]]] = {
    "int8-dynamic": _dynamic,
    "int8-static": _static,
    "int8-weights": _weights,
    "fp16-weights": _half_weights,
    "int8-blocks": functools.partial(_blocks, "int8", 128),
    "int4-blocks": functools.partial(_blocks, "int4", 32),
    "fp16": _half,
}


def candidates_for(profile: HardwareProfile, *, with_data: bool) -> tuple[Candidate, ...]:
    """fp32, always and first; then what the profile wants tried, if there is data to judge it by."""
    others = [name for name in dict.fromkeys(profile.precisions) if name != FP32.name] if with_data else []
    return (FP32, *(Candidate(name=name, precision=name, quantization=SETTINGS[name](profile.int8)) for name in others))
