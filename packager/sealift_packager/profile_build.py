"""One profile's bundle: candidates, figures, choice, and the directory."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path

from sealift_packager.assemble.bundle import disk_estimate, write_bundle
from sealift_packager.baseline import build_baseline
from sealift_packager.candidates.built import Built, NotBuilt
from sealift_packager.candidates.from_profile import candidates_for
from sealift_packager.convert.result import Converted
from sealift_packager.data.holdout import Holdout
from sealift_packager.data.synthetic import make_inputs
from sealift_packager.errors import DataError
from sealift_packager.golden import Golden, make_golden
from sealift_packager.load.source import Array, SourceModel
from sealift_packager.manifest import make_manifest
from sealift_packager.measure import latency
from sealift_packager.measure.accuracy import assess
from sealift_packager.measure.figures import Figures, measure_candidates
from sealift_packager.measure.host import Host, judge_host, thread_choices
from sealift_packager.measure.metrics import Metric, guess_metric
from sealift_packager.measure.predictions import Prediction, read_prediction
from sealift_packager.progress import Progress
from sealift_packager.quantize.calibration import calibration_rows
from sealift_packager.quantize.registry import build_candidate
from sealift_packager.request import PackRequest
from sealift_packager.select.assessed import Assessed
from sealift_packager.select.choose import choose
from sealift_packager.session import Settings, open_session, run_batched
from sealift_runtime.bundle.baseline import Baseline
from sealift_runtime.bundle.manifest import BundleManifest
from sealift_runtime.bundle.profile import HardwareProfile
from sealift_runtime.hardware.machine import Machine


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What candidates are held against: the source's own answers on the holdout."""

    metric: Metric
    prediction: Prediction
    budget: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all profiles of a release have in common."""

    request: PackRequest
    source: SourceModel
    converted: Converted
    holdout: Holdout | None
    reference: Reference | None
    machine: Machine
    created: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProfileBuild:
    """A finished bundle directory."""

    directory: Path
    manifest: BundleManifest


def make_reference(source: SourceModel, holdout: Holdout, metric: Metric | None, request: PackRequest) -> Reference:
    """Ask the source on the whole holdout; `DataError` if the metric can't be computed."""
    prediction = read_prediction(source.predict(holdout.inputs))
    chosen = metric or guess_metric(prediction)
    score = chosen.score(holdout.target, prediction)
    if score != score:
        raise DataError("the metric is not a number on this holdout", where=f"--metric {chosen.name}")
    return Reference(metric=chosen, prediction=prediction, budget=chosen.default_budget(score) if request.max_drop is None else request.max_drop)


def build_profile(shared: Shared, profile: HardwareProfile, scratch: Path, progress: Progress) -> ProfileBuild:
    """Build candidates, measure, choose, and write the signed directory."""
    host = judge_host(profile, shared.machine)
    with progress.stage(f"{profile.name}: build candidates"):
        candidates = _build(shared, profile, scratch)
    built = [row for row in candidates if isinstance(row, Built)]
    with progress.stage(f"{profile.name}: evaluate on the holdout") if shared.holdout else progress.stage(f"{profile.name}: run"):
        outputs = {row.spec.name: _answers(row, shared.holdout) for row in built}
    figures: dict[str, Figures] = {}
    if host.measures:
        with progress.stage(f"{profile.name}: measure latency and memory"):
            figures = _measure(shared, built, profile, host, scratch)
    assessed = [_assess(shared, row, outputs, figures) for row in candidates]
    choice = choose(assessed, profile.objective)
    chosen = next(row for row in built if row.spec == choice.chosen.spec)
    with progress.stage(f"{profile.name}: golden cases and baseline"):
        golden, baseline = _golden_and_baseline(shared, chosen, outputs[chosen.spec.name])
    threads = choice.chosen.figures.threads if choice.chosen.figures else thread_choices(profile, host)[0]
    manifest = make_manifest(
        shared, profile, chosen, assessed, choice, host, golden=golden.info, threads=threads, disk_bytes=disk_estimate(chosen.model, golden, baseline)
    )
    directory = scratch / "bundles" / profile.name
    with progress.stage(f"{profile.name}: write the bundle"):
        write_bundle(directory, manifest, chosen.model, golden, baseline, shared.request.signer)
    return ProfileBuild(directory=directory, manifest=manifest)


def _build(shared: Shared, profile: HardwareProfile, scratch: Path) -> list[Built | NotBuilt]:
    specs = candidates_for(profile, with_data=shared.holdout is not None)
    rows = calibration_rows(shared.holdout.inputs, seed=shared.request.seed) if shared.holdout else {}
    return [build_candidate(spec, shared.converted.model, rows, scratch) for spec in specs]


def _answers(row: Built, holdout: Holdout | None) -> dict[str, Array]:
    if holdout is None:
        return {}
    return run_batched(open_session(row.model, Settings(entries=row.spec.session_entries), where=row.spec.name), holdout.inputs)


def _measure(shared: Shared, built: Sequence[Built], profile: HardwareProfile, host: Host, scratch: Path) -> dict[str, Figures]:
    specs = shared.converted.inputs
    size = next((n for spec in specs for n in spec.shape[:1] if isinstance(n, int)), 1)
    holdout = shared.holdout
    example = make_inputs(specs, rows=size, seed=shared.request.seed) if holdout is None else {n: v[:size] for n, v in holdout.inputs.items()}
    return measure_candidates(built, example, thread_choices(profile, host), machine=host.machine, scratch=scratch)


def _assess(shared: Shared, row: Built | NotBuilt, outputs: dict[str, dict[str, Array]], figures: dict[str, Figures]) -> Assessed:
    if isinstance(row, NotBuilt):
        return Assessed(spec=row.spec, failure=row.reason)
    name, seed = row.spec.name, shared.request.seed
    accuracy = None
    if shared.holdout and shared.reference:
        found, reference = read_prediction(outputs[name]), shared.reference
        accuracy = assess(reference.metric, shared.holdout.target, reference.prediction, found, budget=reference.budget, seed=seed)
    own = figures.get(name)
    speedup = latency.speedup(figures["fp32"].samples_ms, own.samples_ms, seed=seed) if own and row.spec.quantization else None
    return Assessed(spec=row.spec, size_bytes=row.size_bytes, accuracy=accuracy, figures=own, speedup=speedup)


def _golden_and_baseline(shared: Shared, chosen: Built, outputs: dict[str, Array]) -> tuple[Golden, Baseline]:
    converted, holdout, seed = shared.converted, shared.holdout, shared.request.seed
    rows = holdout.inputs if holdout else None
    golden = make_golden(chosen.model, converted.inputs, rows, precision=chosen.spec.precision, seed=seed, entries=chosen.spec.session_entries)
    if holdout is None:
        return golden, Baseline.empty()
    return golden, build_baseline(holdout.inputs, outputs, converted.inputs, converted.outputs, seed=seed)
