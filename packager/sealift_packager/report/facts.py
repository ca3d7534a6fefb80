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
    samples = {name: row["samples_ms"] for name, row in figures.items()} if isinstance(figures, Mapping) else {}
    return {
        "profile": manifest.profile.name,
        "summary": manifest.profile.summary,
        "objective": list(manifest.profile.objective),
        "precision": manifest.model.precision,
        "measured": evaluation.measured,
        "holdout": {"rows": evaluation.holdout_rows, "digest": evaluation.holdout_digest},
        "why": explain(manifest),
        "candidates": [_candidate(row, samples, errors.get(row.name, {})) for row in evaluation.candidates],
    }


def _candidate(row: CandidateRecord, samples: Mapping[str, Samples], errors: Mapping[str, NodeError]) -> dict[str, Any]:
    accuracy, own, measured = row.accuracy, samples.get(row.name), row.measurement
    return {
        "name": row.name,
        "precision": row.precision,
        "chosen": row.chosen,
        "reason": row.reason,
        "size_bytes": row.size_bytes,
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
        "latency_ms": None if own is None else _latency(own),
        "speedup": None if own is None or row.name == "fp32" or "fp32" not in samples else _speedup(samples["fp32"], own),
        "throughput": _throughput(measured),
        "peak_memory_bytes": measured.peak_memory_bytes if measured else None,
        "load_time_ms": measured.load_time_ms if measured else None,
        "node_errors": [{"node": name} | dataclasses.asdict(error) for name, error in errors.items()],
    }


def _throughput(row: Measurement | None) -> dict[str, Any] | None:
    if row is None or row.throughput_rows_per_s is None:
        return None
    return {"rows_per_s": row.throughput_rows_per_s, "batch_size": row.throughput_batch_size}


def _latency(samples: Samples) -> dict[str, Any]:
    values = np.quantile(samples, QUANTILES)
    return {"runs": np.size(samples)} | {f"p{round(share * 100)}": round(float(value), 5) for share, value in zip(QUANTILES, values, strict=True)}


def _speedup(reference: Samples, own: Samples) -> dict[str, float]:
    found = speedup(np.array(reference), np.array(own), seed=SEED)
    return {"median": round(found.ratio, 4), "low": round(found.low, 4), "high": round(found.high, 4)}
