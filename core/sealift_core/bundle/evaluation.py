"""What was measured when a bundle was packaged: accuracy on the holdout, latency, size, and what else was tried."""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_core.schema.documents import Document, Json

VERDICTS: Final = ("passed", "not evaluated")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Figures of one candidate on one machine; latency at batch 1.

    ``throughput_rows_per_s`` is the most rows per second with a caller on every core, at batches of ``throughput_batch_size`` rows; None where
    it wasn't measured.
    """

    latency_p50_ms: float
    latency_p99_ms: float
    load_time_ms: float
    peak_memory_bytes: int
    machine: str
    throughput_rows_per_s: float | None = None
    throughput_batch_size: int | None = None

    @classmethod
    def parse(cls, document: Document) -> Measurement:
        """Read a measurement."""
        return cls(
            latency_p50_ms=document.number("latency_p50_ms", minimum=0),
            latency_p99_ms=document.number("latency_p99_ms", minimum=0),
            load_time_ms=document.number("load_time_ms", minimum=0),
            peak_memory_bytes=document.integer("peak_memory_bytes", minimum=0),
            machine=document.text("machine"),
            throughput_rows_per_s=document.number("throughput_rows_per_s", minimum=0) if document.has("throughput_rows_per_s") else None,
            throughput_batch_size=document.integer("throughput_batch_size", minimum=1) if document.has("throughput_batch_size") else None,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A score against the reference's on the same holdout rows.

    ``loss`` is how much worse the packaged model is, in the metric's own unit and positive when worse, with the 95 %
    interval of a paired bootstrap; ``budget`` is the largest loss that is accepted. ``packaged_worst_row`` is the packaged model's score on
    its worst row, for metrics that limit what a single row may lose; None for all others.
    """

    metric: str
    reference: float
    packaged: float
    loss: float
    loss_low: float
    loss_high: float
    budget: float
    packaged_worst_row: float | None = None

    @classmethod
    def parse(cls, document: Document) -> Accuracy:
        """Read an accuracy."""
        names = ("reference", "packaged", "loss", "loss_low", "loss_high", "budget")
        worst = document.number("packaged_worst_row") if document.has("packaged_worst_row") else None
        return cls(metric=document.text("metric"), **{name: document.number(name) for name in names}, packaged_worst_row=worst)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRecord:
    """One variant that was tried, and why it was or wasn't chosen; ``speedup`` is over fp32, paired, above 1 is faster."""

    name: str
    precision: str
    size_bytes: int
    accuracy: Accuracy | None
    measurement: Measurement | None
    speedup: float | None
    chosen: bool
    reason: str

    @classmethod
    def parse(cls, document: Document) -> CandidateRecord:
        """Read one candidate."""
        return cls(
            name=document.text("name"),
            precision=document.text("precision"),
            size_bytes=document.integer("size_bytes", minimum=0),
            accuracy=Accuracy.parse(document.document("accuracy")) if document.has("accuracy") else None,
            measurement=Measurement.parse(document.document("measurement")) if document.has("measurement") else None,
            speedup=document.number("speedup", None) if document.has("speedup") else None,
            chosen=document.boolean("chosen"),
            reason=document.text("reason"),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The holdout, the chosen candidate's accuracy and figures, and every candidate.

    ``accuracy`` and the holdout fields are None when no data was given (``verdict`` is then ``not evaluated``);
    ``measurement`` is None when this profile's hardware was not at hand (``measured`` says so in words).
    """

    verdict: str
    holdout_digest: str | None
    holdout_rows: int | None
    accuracy: Accuracy | None
    measurement: Measurement | None
    measured: str
    candidates: tuple[CandidateRecord, ...]

    @classmethod
    def parse(cls, document: Document) -> Evaluation:
        """Read an evaluation."""
        return cls(
            verdict=document.text("verdict", one_of=VERDICTS),
            holdout_digest=document.text("holdout_digest") if document.has("holdout_digest") else None,
            holdout_rows=document.integer("holdout_rows", minimum=1) if document.has("holdout_rows") else None,
            accuracy=Accuracy.parse(document.document("accuracy")) if document.has("accuracy") else None,
            measurement=Measurement.parse(document.document("measurement")) if document.has("measurement") else None,
            measured=document.text("measured"),
            candidates=tuple(CandidateRecord.parse(row) for row in document.documents("candidates", max_items=1000)),
        )

    def json(self) -> dict[str, Json]:
        """The evaluation as a manifest writes it; fields that are None are null."""
        return dataclasses.asdict(self)
