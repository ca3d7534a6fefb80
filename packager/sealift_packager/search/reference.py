"""What candidates are compared with."""

from __future__ import annotations

import dataclasses

from sealift_packager.data.holdout import Holdout
from sealift_packager.measure.metrics import Metric
from sealift_packager.measure.predictions import Prediction
from sealift_packager.model.source import Array


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The holdout, the source's own answers on it, and what a candidate may lose (``budget``, in the metric's unit).

    ``target`` is the holdout's as the metric takes it; ``notes`` are sentences on what is odd about the data. ``in_doubt`` says that the source
    itself scores no better than a constant answer, so that no loss would show in the metric. ``output`` is the one that is judged, if
    somebody said so.
    """

    holdout: Holdout
    metric: Metric
    target: Array
    prediction: Prediction
    budget: float
    notes: tuple[str, ...] = ()
    in_doubt: bool = False
    output: str | None = None
