"""A finished build as plain data: what report.json holds, and all that the page shows. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sealift_core.bundle.evaluation import CandidateRecord, Measurement
from sealift_core.clock import format_time
from sealift_packager.measure.latency import speedup
from sealift_packager.quantize.node_error import NodeError
from sealift_packager.report.sentences import explain

if TYPE_CHECKING:
    from sealift_packager.build.packed import Packed

#: Milliseconds as the lock has them: by opening, or of one.
Samples = Sequence[Sequence[float]] | Sequence[float]

SCHEMA: Final = "sealift.build-report/1"
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
SEED: Final = 0


def report_facts(packed: Packed) -> dict[str, Any]:
    """The report's document."""
    release = packed.release
    first = next(iter(packed.manifests.values()))
    return {
        "schema": SCHEMA,
        "name": release.name,
        "version": release.version,
        "description": first.description,
        "created": format_time(first.created),
        "digest": str(packed.digest),
        "signed_by": release.public_key.fingerprint if release.public_key else None,
        "source": {"framework": first.model.source_framework, "digest": first.lineage.source_digest},
        "notes": list(packed.notes),
        "tools": dict(packed.lock.tools),
        "profiles": [_profile(packed, ref.profile) for ref in release.bundles],
    }


def _profile(packed: Packed, profile: str) -> dict[str, Any]:
    manifest, errors = packed.manifests[profile], packed.node_errors.get(profile, {})
    evaluation = manifest.evaluation
    figures = packed.lock.profiles[profile].measured.get("figures")
    samples = {name: candidate_figures["samples_ms"] for name, candidate_figures in figures.items()} if isinstance(figures, Mapping) else {}
    return {
        "profile": manifest.profile.name,
        "summary": manifest.profile.summary,
        "objective": list(manifest.profile.objective),
        "precision": manifest.model.precision,
        "measured": evaluation.measured,
        "holdout": {"rows": evaluation.holdout_rows, "digest": evaluation.holdout_digest},
        "why": explain(manifest),
        "candidates": [_candidate(candidate, samples, errors.get(candidate.name, {})) for candidate in evaluation.candidates],
    }


def _candidate(candidate: CandidateRecord, samples: Mapping[str, Samples], errors: Mapping[str, NodeError]) -> dict[str, Any]:
    accuracy, latencies, measured = candidate.accuracy, samples.get(candidate.name), candidate.measurement
    return {
        "name": candidate.name,
        "precision": candidate.precision,
        "chosen": candidate.chosen,
        "reason": candidate.reason,
        "size_bytes": candidate.size_bytes,
        "accuracy": None
        if accuracy is None
        else {
            "metric": accuracy.metric,
            "source": accuracy.reference,
            "packaged": accuracy.packaged,
            "loss": accuracy.loss,
            "loss_low": accuracy.loss_low,
            "loss_high": accuracy.loss_high,
            "budget": accuracy.budget,
            "packaged_worst_row": accuracy.packaged_worst_row,
        },
        "latency_ms": None if latencies is None else _latency(latencies),
        "speedup": None if latencies is None or candidate.name == "fp32" or "fp32" not in samples else _speedup(samples["fp32"], latencies),
        "throughput": _throughput(measured),
        "peak_memory_bytes": measured.peak_memory_bytes if measured else None,
        "load_time_ms": measured.load_time_ms if measured else None,
        "node_errors": [{"node": name} | dataclasses.asdict(error) for name, error in errors.items()],
    }


def _throughput(measurement: Measurement | None) -> dict[str, Any] | None:
    if measurement is None or measurement.throughput_rows_per_s is None:
        return None
    return {"rows_per_s": measurement.throughput_rows_per_s, "batch_size": measurement.throughput_batch_size}


def _latency(samples: Samples) -> dict[str, Any]:
    values = np.quantile(samples, QUANTILES)
    return {"runs": np.size(samples)} | {f"p{round(share * 100)}": round(float(value), 5) for share, value in zip(QUANTILES, values, strict=True)}


def _speedup(reference: Samples, measured: Samples) -> dict[str, float]:
    interval = speedup(np.array(reference), np.array(measured), seed=SEED)
    return {"median": round(interval.ratio, 4), "low": round(interval.low, 4), "high": round(interval.high, 4)}
