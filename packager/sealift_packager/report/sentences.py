"""Why this candidate, and why not the others."""

from __future__ import annotations

from sealift_core.bundle.evaluation import CandidateRecord, Measurement
from sealift_core.bundle.manifest import BundleManifest


def explain(manifest: BundleManifest) -> list[str]:
    """The reasons for a bundle, one sentence each, the most important first."""
    evaluation = manifest.evaluation
    chosen = next((candidate for candidate in evaluation.candidates if candidate.chosen), None)
    if chosen is None:
        return [f"{manifest.name} {manifest.version} for {manifest.profile.name} ships {manifest.model.precision}; it lists no candidates."]
    sentences = [
        _shipped(manifest, chosen),
        _tried(manifest),
        _accuracy(manifest, chosen),
        *_figures(chosen),
        _measured(manifest),
        *(f"{candidate.name} was not chosen: {candidate.reason.rstrip('.')}." for candidate in evaluation.candidates if candidate is not chosen),
    ]
    return [sentence for sentence in sentences if sentence]


def _shipped(manifest: BundleManifest, chosen: CandidateRecord) -> str:
    head = f"{manifest.name} {manifest.version} ships {chosen.name} for {manifest.profile.name} ({manifest.profile.summary})"
    return f"{head}, because it is {chosen.reason.rstrip('.')}."


def _tried(manifest: BundleManifest) -> str:
    candidates = manifest.evaluation.candidates
    if len(candidates) == 1:
        why = (
            "the profile lists no other precision" if manifest.evaluation.accuracy else ("without holdout data, no other candidate can be evaluated")
        )
        return f"It is the only candidate: {why}."
    order = ", then ".join(name.replace("_", " ") for name in manifest.profile.objective)
    return f"{len(candidates)} candidates were tried. The profile ranks those that pass by {order}."


def _accuracy(manifest: BundleManifest, chosen: CandidateRecord) -> str:
    accuracy = chosen.accuracy
    if accuracy is None:
        return "Its accuracy was not evaluated: there was no holdout data."
    rows = manifest.evaluation.holdout_rows
    if accuracy.loss == accuracy.loss_low == accuracy.loss_high == 0:
        return f"On {rows} holdout rows its {accuracy.metric} is the same as the source model's, {accuracy.packaged:.6g}."
    least = "" if accuracy.packaged_worst_row is None else f" on average and {accuracy.packaged_worst_row:.6g} on the worst row,"
    return (
        f"On {rows} holdout rows its {accuracy.metric} is {accuracy.packaged:.6g}{least} against the source model's {accuracy.reference:.6g}: "
        f"a loss of {accuracy.loss:.4g}, with 95 % confidence at most {accuracy.loss_high:.4g}, within the budget of {accuracy.budget:.4g}."
    )


def _figures(chosen: CandidateRecord) -> list[str]:
    measurement = chosen.measurement
    size = f"It takes {chosen.size_bytes / 1000:,.0f} kB"
    if measurement is None:
        return [f"{size}."]
    speed = f", {chosen.speedup:.2f} times as fast as fp32" if chosen.speedup else ""
    return [
        f"A request takes {measurement.latency_p50_ms:.3g} ms in the median and {measurement.latency_p99_ms:.3g} ms at the 99th percentile{speed}.",
        *_throughput(measurement),
        f"{size} on disk and {measurement.peak_memory_bytes / 2**20:,.0f} MiB of memory at its peak, and loads in {measurement.load_time_ms:.3g} ms.",
    ]


def _throughput(measurement: Measurement) -> list[str]:
    rate, size = measurement.throughput_rows_per_s, measurement.throughput_batch_size
    return [] if rate is None else [f"With every core busy, it answers {rate:,.0f} rows per second, in batches of {size}."]


def _measured(manifest: BundleManifest) -> str:
    words = manifest.evaluation.measured
    return f"Latency, memory and load time were {words}." if manifest.evaluation.measurement else f"Latency was {words}, so only size counted."
