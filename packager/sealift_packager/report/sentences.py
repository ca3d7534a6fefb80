"""Why this candidate, and why not the others."""

from __future__ import annotations

from sealift_core.bundle.evaluation import CandidateRecord, Measurement
from sealift_core.bundle.manifest import BundleManifest


def explain(manifest: BundleManifest) -> list[str]:
    """The reasons for a bundle, one sentence each, the most important first."""
    evaluation = manifest.evaluation
    chosen = next((row for row in evaluation.candidates if row.chosen), None)
    if chosen is None:
        return [f"{manifest.name} {manifest.version} for {manifest.profile.name} ships {manifest.model.precision}; it lists no candidates."]
    said = [
        _shipped(manifest, chosen),
        _tried(manifest),
        _accuracy(manifest, chosen),
        *_figures(chosen),
        _measured(manifest),
        *(f"{row.name} was not chosen: {row.reason.rstrip('.')}." for row in evaluation.candidates if row is not chosen),
    ]
    return [sentence for sentence in said if sentence]


def _shipped(manifest: BundleManifest, chosen: CandidateRecord) -> str:
    head = f"{manifest.name} {manifest.version} ships {chosen.name} for {manifest.profile.name} ({manifest.profile.summary})"
    return f"{head}, because it is {chosen.reason.rstrip('.')}."


def _tried(manifest: BundleManifest) -> str:
    rows = manifest.evaluation.candidates
    if len(rows) == 1:
        why = (
            "the profile lists no other precision" if manifest.evaluation.accuracy else ("without holdout data, no other candidate can be evaluated")
        )
        return f"It is the only candidate: {why}."
    order = ", then ".join(name.replace("_", " ") for name in manifest.profile.objective)
    return f"{len(rows)} candidates were tried. The profile ranks those that pass by {order}."


def _accuracy(manifest: BundleManifest, chosen: CandidateRecord) -> str:
    row = chosen.accuracy
    if row is None:
        return "Its accuracy was not evaluated: there was no holdout data."
    rows = manifest.evaluation.holdout_rows
    if row.loss == row.loss_low == row.loss_high == 0:
        return f"On {rows} holdout rows its {row.metric} is the same as the source model's, {row.packaged:.6g}."
    least = "" if row.packaged_worst_row is None else f" on average and {row.packaged_worst_row:.6g} on the worst row,"
    return (
        f"On {rows} holdout rows its {row.metric} is {row.packaged:.6g}{least} against the source model's {row.reference:.6g}: "
        f"a loss of {row.loss:.4g}, with 95 % confidence at most {row.loss_high:.4g}, within the budget of {row.budget:.4g}."
    )


def _figures(chosen: CandidateRecord) -> list[str]:
    row = chosen.measurement
    size = f"It takes {chosen.size_bytes / 1000:,.0f} kB"
    if row is None:
        return [f"{size}."]
    speed = f", {chosen.speedup:.2f} times as fast as fp32" if chosen.speedup else ""
    return [
        f"A request takes {row.latency_p50_ms:.3g} ms in the median and {row.latency_p99_ms:.3g} ms at the 99th percentile{speed}.",
        *_throughput(row),
        f"{size} on disk and {row.peak_memory_bytes / 2**20:,.0f} MiB of memory at its peak, and loads in {row.load_time_ms:.3g} ms.",
    ]


def _throughput(row: Measurement) -> list[str]:
    if row.throughput_rows_per_s is None:
        return []
    return [f"With every core busy, it answers {row.throughput_rows_per_s:,.0f} rows per second, in batches of {row.throughput_batch_size}."]


def _measured(manifest: BundleManifest) -> str:
    words = manifest.evaluation.measured
    return f"Latency, memory and load time were {words}." if manifest.evaluation.measurement else f"Latency was {words}, so only size counted."
