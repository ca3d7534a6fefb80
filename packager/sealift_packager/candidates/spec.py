"""A candidate as a value: what is to be built, not how."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from sealift_runtime.documents import Json


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """The numbers of an int8 candidate.

    ``activation`` and ``weight`` are int8 or uint8; ``reduce_range`` keeps weights to 7 bits; ``calibration`` is a method of
    `quantize.ranges`, ``best`` while that is still to be found, or empty where ranges are found at run time. ``reverted`` names the nodes that stay
    in fp32.
    """

    activation: str
    weight: str
    reduce_range: bool
    per_channel: bool
    calibration: str = ""
    reverted: tuple[str, ...] = ()


#: What onnxruntime must be told to run a precision as it is meant. With Q/DQ fusion on, weights stored as int8 would be computed with in int8.
SESSION_ENTRIES: Final[dict[str, Mapping[str, str]]] = {"int8-weights": {"session.disable_quant_qdq": "1"}}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSpec:
    """One variant of the model; ``precision`` is a key of the quantizers."""

    name: str
    precision: str
    quantization: Quantization | None = None

    @property
    def session_entries(self) -> Mapping[str, str]:
        """Session config entries without which the candidate is another one."""
        return SESSION_ENTRIES.get(self.precision, {})

    def recipe(self) -> dict[str, Json]:
        """The settings as the manifest writes them."""
        if self.quantization is None:
            return {}
        fields = dataclasses.asdict(self.quantization)
        reverted = fields.pop("reverted")
        return {**fields, "reverted": list(reverted)} if reverted else fields
