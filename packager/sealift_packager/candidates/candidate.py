"""What is to be tried, not how."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from sealift_core.schema.documents import Json


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """The numbers of a candidate that isn't fp32.

    ``activation`` and ``weight`` are what is computed in and what is stored (int8, uint8, int4, float16, float32); ``reduce_range`` keeps weights
    to 7 bits; ``calibration`` is a method of `quantize.ranges`, ``best`` while that is still to be found, or empty where ranges are found at run
    time. ``smoothing`` is the α of `quantize.smoothing`, 0 for none. ``block_size`` is how many weights share a scale, 0 for a whole channel.
    ``reverted`` names the nodes that stay in fp32, ``fp16_nodes`` those whose weights are stored as fp16.
    """

    activation: str
    weight: str
    reduce_range: bool
    per_channel: bool
    calibration: str = ""
    smoothing: float = 0.0
    block_size: int = 0
    reverted: tuple[str, ...] = ()
    fp16_nodes: tuple[str, ...] = ()

    @property
    def excluded_nodes(self) -> tuple[str, ...]:
        """The nodes that these settings don't apply to."""
        return (*self.reverted, *self.fp16_nodes)

    @property
    def calibrated(self) -> bool:
        """Whether any of the settings comes from calibration data."""
        return bool(self.calibration or self.smoothing)


#: With Q/DQ fusion on, weights stored as int8 would be computed with in int8.
_NO_FUSION: Final[Mapping[str, str]] = {"session.disable_quant_qdq": "1"}
#: The session config entries that a precision needs.
SESSION_ENTRIES: Final = dict.fromkeys(("int8-dynamic", "int8-weights", "int8-blocks", "int4-blocks"), _NO_FUSION)
#: The onnxruntime that a precision needs beyond what its profile asks for: MatMulNBits computes 8 bits on processors since 1.22.
ONNXRUNTIME: Final = {"int8-blocks": ">=1.22"}


#: Settings that a recipe doesn't mention where they are off.
_LEFT_OUT: Final = ("smoothing", "block_size", "reverted", "fp16_nodes")
#: Settings that have another name in manifests, which older bundles bear too.
_IN_RECIPE: Final = {"fp16_nodes": "halved"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One variant of the model; ``precision`` is a key of the quantizers."""

    name: str
    precision: str
    quantization: Quantization | None = None

    @property
    def session_entries(self) -> Mapping[str, str]:
        """The session config entries that the candidate needs."""
        return SESSION_ENTRIES.get(self.precision, {})

    def recipe(self) -> dict[str, Json]:
        """The settings as the manifest writes them."""
        if self.quantization is None:
            return {}
        fields = dataclasses.asdict(self.quantization)
        used = {name: value for name, value in fields.items() if value or name not in _LEFT_OUT}
        return {_IN_RECIPE.get(name, name): list(value) if isinstance(value, tuple) else value for name, value in used.items()}
