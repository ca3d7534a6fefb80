"""A candidate with its graph."""

from __future__ import annotations

import dataclasses
from typing import Any

from sealift_packager.candidates.spec import CandidateSpec
from sealift_packager.graph.tensors import model_bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A spec and its graph (an ``onnx.ModelProto``; see `tensors` for its weights); ``calibration_rows`` is how many rows its ranges come from."""

    spec: CandidateSpec
    model: Any
    calibration_rows: int = 0

    @property
    def size_bytes(self) -> int:
        """Graph and weights."""
        return model_bytes(self.model)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotBuilt:
    """A spec that was not built, and a sentence on why."""

    spec: CandidateSpec
    reason: str
