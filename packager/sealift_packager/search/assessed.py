"""What is known of one candidate when the choice is made."""

from __future__ import annotations

import dataclasses

from sealift_core.bundle.evaluation import Accuracy
from sealift_packager.candidates.spec import CandidateSpec
from sealift_packager.measure.accuracy import passes_gate
from sealift_packager.measure.figures import Figures
from sealift_packager.measure.latency import Speedup


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """A candidate with its figures; ``figures`` and ``speedup`` are None where this machine can't speak for the profile.

    ``failure`` says why it was not built; it has no other figures then. ``arithmetic`` says how its
    accuracy on the profile's processors is known where this machine's differ.
    ``rows_wanted`` is how many rows the gate needs where there are too few, else 0.
    ``worst_row`` is the largest loss of a single row, in what one row may lose.
    """

    spec: CandidateSpec
    size_bytes: int = 0
    accuracy: Accuracy | None = None
    figures: Figures | None = None
    speedup: Speedup | None = None
    failure: str = ""
    arithmetic: str = ""
    worst_row: float | None = None
    rows_wanted: int = 0

    @property
    def within_budget(self) -> bool:
        """Whether it passes the accuracy gate."""
        return passes_gate(self.accuracy, self.worst_row)
