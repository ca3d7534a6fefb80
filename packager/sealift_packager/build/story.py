"""What the log says of a profile's candidates: each with its figures, and why it ships or doesn't."""

from __future__ import annotations

import logging
from typing import Final

from sealift_core.bundle.evaluation import CandidateRecord
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.terminal.records import facts

_LOG: Final = logging.getLogger("sealift.search")


def tell_candidates(manifest: BundleManifest) -> None:
    """Log where the profile's figures come from, each candidate, and last the one that ships."""
    profile, evaluation = manifest.profile.name, manifest.evaluation
    _LOG.info("%s: latency and memory were %s", profile, evaluation.measured, extra=facts(profile=profile))
    for candidate in sorted(evaluation.candidates, key=lambda candidate: candidate.chosen):
        verdict = "chosen" if candidate.chosen else "dropped"
        _LOG.info("%s: %s %s: %s (%s)", profile, verdict, candidate.name, candidate.reason, _figures(candidate), extra=_facts(profile, candidate))


def _figures(candidate: CandidateRecord) -> str:
    if not candidate.size_bytes:
        return "no figures"
    figures = [f"{candidate.size_bytes:,} bytes"]
    if accuracy := candidate.accuracy:
        figures.append(f"{accuracy.metric} {accuracy.packaged:.4g}, a loss of {accuracy.loss:.4g}, at most {accuracy.loss_high:.4g} (95 % bound)")
    if measurement := candidate.measurement:
        figures.append(f"p50 {measurement.latency_p50_ms:.3g} ms, p99 {measurement.latency_p99_ms:.3g} ms")
    if candidate.speedup is not None:
        figures.append(f"{candidate.speedup:.2f} times as fast as fp32")
    return "; ".join(figures)


def _facts(profile: str, candidate: CandidateRecord) -> dict[str, object]:
    accuracy, measurement = candidate.accuracy, candidate.measurement
    return facts(
        profile=profile,
        candidate=candidate.name,
        chosen=candidate.chosen,
        size_bytes=candidate.size_bytes,
        loss=accuracy.loss if accuracy else None,
        loss_high=accuracy.loss_high if accuracy else None,
        latency_p50_ms=measurement.latency_p50_ms if measurement else None,
        speedup=candidate.speedup,
    )
