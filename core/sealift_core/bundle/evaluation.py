"""What was measured when a bundle was packaged: accuracy on the holdout, latency, size, and what else was tried."""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_core.schema.documents import Document, Json

VERDICTS: Final = ("passed", "not evaluated")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Figures of one candidate on one machine; latency at batch 1.

    Attributes:
        latency_p50_ms: The median latency.
        latency_p99_ms: The latency that 99 % of the requests stay below.
        load_time_ms: How long a session takes to load: the median of several.
        peak_memory_bytes: The most memory that the process took.
        machine: Where it was measured, in words.
        throughput_rows_per_s: The most rows per second with a caller on every core; None where it wasn't measured.
        throughput_batch_size: The rows per request that gave it; None where it wasn't measured.
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
        """Read a measurement.

        Args:
            document: The table of a manifest.

        Returns:
            The measurement.

        Raises:
            DocumentError: If a field is missing, of another type, or negative.
            LimitError: If a text is too long.
        """
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

    Attributes:
        metric: The metric's name.
        reference: The score of the model as it was given.
        packaged: The score of the packaged model.
        loss: How much worse the packaged model is, in the metric's own unit; positive when worse.
        loss_low: The lower end of the 95 % interval of the loss, by a paired bootstrap.
        loss_high: Its upper end.
        budget: The largest loss that is accepted.
        packaged_worst_row: The packaged model's score on its worst row, for metrics that limit what a single row may lose; None for all others.
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
        """Read an accuracy.

        Args:
            document: The table of a manifest.

        Returns:
            The accuracy.

        Raises:
            DocumentError: If a field is missing, of another type, or not finite.
            LimitError: If a text is too long.
        """
        names = ("reference", "packaged", "loss", "loss_low", "loss_high", "budget")
        worst = document.number("packaged_worst_row") if document.has("packaged_worst_row") else None
        return cls(metric=document.text("metric"), **{name: document.number(name) for name in names}, packaged_worst_row=worst)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRecord:
    """One variant that was tried, and why it was or wasn't chosen.

    Attributes:
        name: The candidate's name.
        precision: One of `sealift_core.hardware.profile.PRECISIONS`.
        size_bytes: The size of the graph and its weights.
        accuracy: Its score on the holdout; None if it wasn't evaluated.
        measurement: Its figures; None if it wasn't measured.
        speedup: How many times as fast as fp32 it is, measured in pairs; None if it wasn't measured.
        chosen: Whether it is the one in the bundle.
        reason: Why it was or wasn't chosen, in words.
    """

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
        """Read one candidate.

        Args:
            document: The table of a manifest.

        Returns:
            The candidate.

        Raises:
            DocumentError: If a field is missing, of another type, or out of range.
            LimitError: If a text is too long.
        """
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

    Attributes:
        verdict: One of `VERDICTS`; ``not evaluated`` when no data was given.
        holdout_digest: The digest of the holdout; None when no data was given.
        holdout_rows: The number of its rows; None when no data was given.
        accuracy: The chosen candidate's score; None when no data was given.
        measurement: The chosen candidate's figures; None when this profile's hardware was not at hand.
        measured: Where and how it was measured, or why not, in words.
        candidates: Every variant that was tried.
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
        """Read an evaluation.

        Args:
            document: The table of a manifest.

        Returns:
            The evaluation.

        Raises:
            DocumentError: If a field is missing, of another type, or out of range.
            LimitError: If there are more than 1000 candidates, or a text is too long.
        """
        return cls(
            verdict=document.text("verdict", one_of=VERDICTS),
            holdout_digest=document.text("holdout_digest") if document.has("holdout_digest") else None,
            holdout_rows=document.integer("holdout_rows", minimum=1) if document.has("holdout_rows") else None,
            accuracy=Accuracy.parse(document.document("accuracy")) if document.has("accuracy") else None,
            measurement=Measurement.parse(document.document("measurement")) if document.has("measurement") else None,
            measured=document.text("measured"),
            candidates=tuple(CandidateRecord.parse(candidate) for candidate in document.documents("candidates", max_items=1000)),
        )

    def json(self) -> dict[str, Json]:
        """Write the evaluation as a manifest does; fields that are None are null."""
        return dataclasses.asdict(self)
