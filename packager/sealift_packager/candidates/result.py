"""What became of a candidate: one value, which is replaced by a fuller one as the candidate is built, judged and measured."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import onnx

from sealift_core.bundle.evaluation import Accuracy
from sealift_packager.candidates.candidate import Candidate
from sealift_packager.candidates.figures import Figures, Speedup
from sealift_packager.candidates.judgement import Judgement
from sealift_packager.graph.tensors import model_bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CandidateResult:
    """A candidate that was built, and all that is known of it.

    1. Built: ``model`` is its graph (see `tensors` for its weights), ``size_bytes`` are graph and weights,
       ``calibration_rows`` is how many rows its ranges come from.
    2. Judged, where there is a holdout: ``judgement``, and ``node_errors``, which is what each of its nodes loses by int8 on its own (see
       `quantize.sensitivity`), the worst first.
    3. Measured, where this machine or a device can speak for the profile: ``figures``; and ``speedup``, but of fp32 itself.
    """

    candidate: Candidate
    model: onnx.ModelProto
    size_bytes: int
    calibration_rows: int = 0
    judgement: Judgement | None = None
    node_errors: dict[str, float] = dataclasses.field(default_factory=dict)
    figures: Figures | None = None
    speedup: Speedup | None = None

    @classmethod
    def built(cls, candidate: Candidate, model: onnx.ModelProto, *, calibration_rows: int = 0) -> CandidateResult:
        """The result of a graph that nothing else is known of."""
        return cls(candidate=candidate, model=model, size_bytes=model_bytes(model), calibration_rows=calibration_rows)

    @property
    def name(self) -> str:
        """The candidate's."""
        return self.candidate.name

    @property
    def passes(self) -> bool:
        """Whether it passes the accuracy gate; without a holdout there is nothing to judge by."""
        return self.judgement is None or self.judgement.passes

    @property
    def accuracy(self) -> Accuracy | None:
        """What it loses; None without a holdout."""
        return self.judgement.accuracy if self.judgement else None

    @property
    def arithmetic(self) -> str:
        """How its accuracy on the profile's processors is known, where that takes words."""
        return self.judgement.arithmetic if self.judgement else ""


class NotBuilt(NamedTuple):
    """A candidate that could not be built, and a sentence on why; a tuple, so that a cache tells it from a `CandidateResult`."""

    candidate: Candidate
    reason: str

    @property
    def name(self) -> str:
        """The candidate's."""
        return self.candidate.name
