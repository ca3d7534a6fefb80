"""One profile's bundle: candidates, figures, choice, and the directory."""

from __future__ import annotations

import dataclasses
import functools
import platform
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sealift_core.bundle.manifest import BundleManifest
from sealift_core.drift.baseline import Baseline
from sealift_core.hardware.profile import HardwareProfile
from sealift_core.schema.documents import Json
from sealift_core.timing.rows import take_rows
from sealift_packager.assemble.baseline import build_baseline
from sealift_packager.assemble.bundle import disk_estimate, write_bundle
from sealift_packager.assemble.golden import Golden, make_golden
from sealift_packager.build.context import Shared
from sealift_packager.build.keys import value_digest
from sealift_packager.build.manifest import make_manifest
from sealift_packager.build.story import tell_candidates
from sealift_packager.cache.structure import encode
from sealift_packager.cache.tools import tool_versions
from sealift_packager.candidates.built import Built, NotBuilt
from sealift_packager.candidates.from_profile import candidates_for
from sealift_packager.data.files import data_tools
from sealift_packager.lock.evidence import Evidence
from sealift_packager.lock.lockfile import check_arithmetic
from sealift_packager.measure import latency
from sealift_packager.measure.device import DeviceAddress, device_for
from sealift_packager.measure.emulation import emulator_digest, find_emulator
from sealift_packager.measure.figures import BATCHES, Figures, Workload, measure_candidates
from sealift_packager.measure.host import Host, judge_host, thread_choices
from sealift_packager.measure.on_device import judge_device, measure_on_device
from sealift_packager.model.batch import only_batch
from sealift_packager.model.source import Array
from sealift_packager.model.synthetic import make_inputs
from sealift_packager.progress.progress import Progress
from sealift_packager.quantize.node_error import NodeError
from sealift_packager.search.assessed import Assessed
from sealift_packager.search.choose import choose
from sealift_packager.search.evaluate import Searched, emulated_processor
from sealift_packager.search.run import Search


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProfileBuild:
    """A finished bundle directory, the measurements that its choice rests on, each candidate's errors by node, and what the report says besides."""

    directory: Path
    manifest: BundleManifest
    measured: Mapping[str, Json]
    node_errors: Mapping[str, Mapping[str, NodeError]]
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All of a bundle but what a release calls it: as `Stages` keeps it. ``manifest`` and ``baseline`` are the documents' text."""

    manifest: str
    model: Any
    golden: Golden
    baseline: str
    measured: dict[str, Any]
    node_errors: dict[str, dict[str, NodeError]]
    notes: tuple[str, ...]


def build_profile(shared: Shared, profile: HardwareProfile, scratch: Path, progress: Progress, evidence: Evidence) -> ProfileBuild:
    """Build candidates, measure (or take what was measured), choose, and write the directory."""
    here = judge_host(profile, shared.machine)
    device = device_for(shared.request.measure_on, profile.name, measured_here=here.measures)
    host = evidence.obtain("host", Host, lambda: judge_device(device, profile, shared.request.signer) if device else here)
    depends: dict[str, Json] = {
        **_asked(shared, profile),
        "given": evidence.fingerprint,
        "host": encode(host),
        "node": _node(device) if host.measures and not evidence.locked else "",
        "seconds": shared.request.measure_seconds if host.measures and not evidence.locked else 0.0,
        "flags": sorted(shared.machine.cpu_flags),
        "emulator": _emulator(shared, profile),
    }
    directory = scratch / "bundles" / profile.name
    with tempfile.TemporaryDirectory(dir=scratch, prefix="candidates.") as folder:  # weights in files, which other profiles have no use for
        outcome = shared.stages.run(
            f"{profile.name}: everything", Outcome, lambda: _outcome(shared, profile, host, device, Path(folder), evidence), depends, outermost=True
        )
        manifest = _named(BundleManifest.parse(outcome.manifest.encode()), shared)
        tell_candidates(manifest)
        with progress.stage(f"{profile.name}: write the bundle"):
            tools = tool_versions(manifest.model.source_framework, data_tools(shared.request.data))
            baseline = Baseline.parse(outcome.baseline.encode())
            write_bundle(directory, manifest, outcome.model, outcome.golden, baseline, tools=tools, options=shared.request.options())
    return ProfileBuild(directory=directory, manifest=manifest, measured=outcome.measured, node_errors=outcome.node_errors, notes=outcome.notes)


def _named(manifest: BundleManifest, shared: Shared) -> BundleManifest:
    """The manifest as this release calls it: what nothing is computed from."""
    asked = shared.request
    return dataclasses.replace(
        manifest,
        name=asked.name,
        version=asked.version,
        created=shared.created,
        description=asked.description,
        license=asked.license,
        owners=asked.owners,
    )


def _outcome(shared: Shared, profile: HardwareProfile, host: Host, device: DeviceAddress | None, scratch: Path, evidence: Evidence) -> Outcome:
    shared.prepare()
    searched = _search(shared, profile, scratch)
    built = [found.row for found in searched if isinstance(found.row, Built)]
    outputs = {found.row.spec.name: found.outputs for found in searched}
    figures: dict[str, Figures] = {}
    if host.measures:
        figures = evidence.obtain("figures", dict[str, Figures], lambda: _figures(shared, built, profile, host, device, scratch))
    arithmetic = {found.row.spec.name: found.arithmetic for found in searched}
    check_arithmetic(evidence.obtain("arithmetic", dict[str, str], lambda: arithmetic), arithmetic, profile.name)
    assessed = [_assess(found, figures, shared.request.seed) for found in searched]
    choice = choose(assessed, profile.objective)
    chosen = next(row for row in built if row.spec == choice.chosen.spec)
    golden, baseline = shared.stages.run(
        f"{profile.name}: golden cases and baseline",
        tuple[Golden, str],
        lambda: _golden_and_baseline(shared, chosen, outputs[chosen.spec.name]),
        {
            **_asked(shared, profile),
            "chosen": value_digest([chosen, outputs[chosen.spec.name], shared.converted.inputs, shared.converted.outputs]),
        },
    )
    disk_bytes = disk_estimate(chosen.model, golden, Baseline.parse(baseline.encode()))
    manifest = make_manifest(shared, profile, chosen, assessed, choice, host, golden=golden.info, disk_bytes=disk_bytes)
    return Outcome(
        manifest=manifest.to_bytes().decode(),
        model=chosen.model,
        golden=golden,
        baseline=baseline,
        measured=dict(evidence.taken),
        node_errors={found.row.spec.name: _node_errors(found) for found in searched if found.node_errors},
        notes=shared.notes,
    )


def _asked(shared: Shared, profile: HardwareProfile) -> dict[str, Json]:
    """What every stage of a profile depends on."""
    return {"profile": profile.json(), "gate": shared.gate}


def _node_errors(found: Searched) -> dict[str, NodeError]:
    quantization = found.row.spec.quantization
    spared = quantization.spared if quantization else ()
    return {name: NodeError(relative_squared_error=error, reverted=name in spared) for name, error in found.node_errors.items()}


def _search(shared: Shared, profile: HardwareProfile, scratch: Path) -> list[Searched]:
    """Each candidate is a stage of its own. What another processor answers depends on what can be emulated here."""
    search = Search(shared, profile, scratch)
    here: dict[str, Json] = {**_asked(shared, profile), "emulator": _emulator(shared, profile), "shared": shared.digest}
    return [
        shared.stages.run(
            f"{profile.name}: build and judge {spec.name}", Searched, functools.partial(search.candidate, spec), {**here, "spec": encode(spec)}
        )
        for spec in candidates_for(profile, with_data=shared.holdout is not None)
    ]


def _emulator(shared: Shared, profile: HardwareProfile) -> str:
    """What would compute the profile's int8 arithmetic here, for the cache to know."""
    processor = emulated_processor(profile, shared.machine)
    found = find_emulator(processor) if processor else None
    return f"{found} {emulator_digest(found)}" if found else ""


def _node(device: DeviceAddress | None) -> str:
    """Where figures come from, so that the cache keeps those of two machines apart; `Host` has the device's id beside."""
    return device.url if device else platform.node()


def _figures(
    shared: Shared, built: Sequence[Built], profile: HardwareProfile, host: Host, device: DeviceAddress | None, scratch: Path
) -> dict[str, Figures]:
    """What is measured is a stage that depends on the machine too."""
    here: dict[str, Json] = {
        "host": encode(host),
        "node": _node(device),
        "flags": sorted(shared.machine.cpu_flags),
        "seconds": shared.request.measure_seconds,
    }
    return shared.stages.run(
        f"{profile.name}: measure latency and memory",
        dict[str, Figures],
        lambda: _measure(shared, built, profile, host, device, scratch),
        {**_asked(shared, profile), **here, "candidates": value_digest(built)},
    )


def _measure(
    shared: Shared, built: Sequence[Built], profile: HardwareProfile, host: Host, device: DeviceAddress | None, scratch: Path
) -> dict[str, Figures]:
    specs = shared.converted.inputs
    fixed = only_batch(specs)
    asked, threads = shared.request, thread_choices(profile, host)
    size, holdout = fixed or max(BATCHES), None if device else shared.holdout  # nobody's rows leave this machine
    rows = make_inputs(specs, rows=size, seed=asked.seed) if holdout is None else take_rows(holdout.inputs, size)
    work = Workload(rows=rows, fixed=fixed)
    if device:
        return measure_on_device(device, asked.signer, built, work, threads, machine=host.machine, seconds=asked.measure_seconds)
    return measure_candidates(built, work, threads, machine=host.machine, cores=host.cores, seconds=asked.measure_seconds, scratch=scratch)


def _assess(found: Searched, figures: Mapping[str, Figures], seed: int) -> Assessed:
    row = found.row
    if isinstance(row, NotBuilt):
        return Assessed(spec=row.spec, failure=row.reason)
    own = figures.get(row.spec.name)
    speedup = latency.speedup(figures["fp32"].samples_ms, own.samples_ms, seed=seed) if own and row.spec.quantization else None
    return Assessed(
        spec=row.spec,
        size_bytes=row.size_bytes,
        accuracy=found.accuracy,
        figures=own,
        speedup=speedup,
        arithmetic=found.arithmetic,
        worst_row=found.worst_row,
        rows_wanted=found.rows_wanted,
    )


def _golden_and_baseline(shared: Shared, chosen: Built, outputs: dict[str, Array]) -> tuple[Golden, str]:
    converted, holdout, seed = shared.converted, shared.holdout, shared.request.seed
    rows = holdout.inputs if holdout else None
    golden = make_golden(
        chosen.model,
        converted.inputs,
        rows,
        precision=chosen.spec.precision,
        seed=seed,
        entries=chosen.spec.session_entries,
        rows=shared.golden_rows,
    )
    baseline = build_baseline(holdout.inputs, outputs, converted.inputs, converted.outputs, seed=seed) if holdout else Baseline.empty()
    return golden, baseline.to_bytes().decode()
