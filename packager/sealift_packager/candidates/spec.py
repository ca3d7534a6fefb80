"""A candidate as a value: what is to be built, not how."""

from __future__ import annotations

import dataclasses

from sealift_runtime.documents import Json


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """The numbers of an int8 candidate.

    ``activation`` and ``weight`` are int8 or uint8; ``reduce_range`` keeps weights to 7 bits; ``calibration`` is minmax, or empty
    where ranges are found at run time (dynamic).
    """

    activation: str
    weight: str
    reduce_range: bool
    per_channel: bool
    calibration: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSpec:
    """One variant of the model; ``precision`` is a key of the quantizers."""

    name: str
    precision: str
    quantization: Quantization | None = None

    def recipe(self) -> dict[str, Json]:
        """The settings as the manifest writes them."""
        return dataclasses.asdict(self.quantization) if self.quantization else {}
