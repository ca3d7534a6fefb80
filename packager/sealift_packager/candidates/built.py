"""A candidate with its graph."""

from __future__ import annotations

import dataclasses
from typing import Any

from sealift_packager.candidates.spec import CandidateSpec


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A spec and its graph (an ``onnx.ModelProto`` with its weights inside); ``calibration_rows`` is how many rows its ranges come from."""

    spec: CandidateSpec
    model: Any
    calibration_rows: int = 0

    @property
    def size_bytes(self) -> int:
        """Graph and weights."""
        return int(self.model.ByteSize())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotBuilt:
    """A spec that was not built, and a sentence on why."""

    spec: CandidateSpec
    reason: str
