"""One profile's bundle: candidates, figures, choice, and the directory."""

from __future__ import annotations

import dataclasses
import functools
import platform
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sealift_core.bundle.manifest import BundleManifest
from sealift_core.drift.baseline import Baseline
from sealift_core.hardware.profile import HardwareProfile
from sealift_core.signing.keys import Signer
from sealift_core.timing.rows import take_rows
from sealift_packager.assemble.baseline import build_baseline
from sealift_packager.assemble.bundle import disk_estimate, write_bundle
from sealift_packager.assemble.golden import Golden, make_golden
from sealift_packager.assemble.rehearsal import rehearse
from sealift_packager.build import keys
from sealift_packager.build.context import BuildContext
from sealift_packager.build.manifest import make_manifest
from sealift_packager.build.profile_result import ProfileBuild, ProfileResult
from sealift_packager.build.story import tell_candidates
from sealift_packager.cache.tools import tool_versions
from sealift_packager.candidates.figures import Figures
from sealift_packager.candidates.from_profile import candidates_for
from sealift_packager.candidates.result import CandidateResult, NotBuilt
from sealift_packager.data.files import data_tools
from sealift_packager.lock.lockfile import check_arithmetic
from sealift_packager.lock.measurement_log import MeasurementLog
from sealift_packager.measure.device_address import DeviceAddress, device_for
from sealift_packager.measure.emulation import emulator_digest, find_emulator
from sealift_packager.measure.figures import BATCHES, Workload, footprints_for, measure_candidates
from sealift_packager.measure.host import Host, judge_host, thread_choices
from sealift_packager.measure.latency import speedup
from sealift_packager.model.batch import only_batch
from sealift_packager.model.synthetic import make_inputs
from sealift_packager.progress.progress import Progress
from sealift_packager.quantize.node_error import NodeError
from sealift_packager.search.choose import choose
from sealift_packager.search.evaluate import emulated_processor
from sealift_packager.search.run import Search, unquantized

_IN_DOUBT: Final = "not tried, because a loss couldn't be seen in this metric: the source model scores no better than one constant answer"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """What the steps of one profile's build have in common; ``device`` is the one to measure on, None for this machine."""

    context: BuildContext
    profile: HardwareProfile
    place: keys.Place
    device: DeviceAddress | None
    emulator: str
    scratch: Path


def build_profile(context: BuildContext, profile: HardwareProfile, scratch: Path, progress: Progress, log: MeasurementLog) -> ProfileBuild:
    """Build candidates, measure (or take what was measured), choose, and write the directory."""
    directory, request = scratch / "bundles" / profile.name, context.request
    local = judge_host(profile, context.machine)
    device = device_for(request.measure_on, profile.name, measured_here=local.measures)
    host = log.obtain("host", Host, lambda: _judge_device(device, profile, request.signer) if device else local)
    place = _place(context, host, device, measures=host.measures and not log.locked)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="candidates.") as folder:  # weights in files, which other profiles have no use for
        setting = _Setting(context=context, profile=profile, place=place, device=device, emulator=_emulator(context, profile), scratch=Path(folder))
        stage = keys.everything(profile, context.gate, place, locked=log.fingerprint, emulator=setting.emulator)
        result = context.stages.run(stage, lambda: _result(setting, log))
        manifest = _named(result.manifest, context)
        tell_candidates(manifest)
        with progress.stage(f"{profile.name}: write the bundle"):
            tools = tool_versions(manifest.model.source_framework, data_tools(request.data))
            write_bundle(directory, manifest, result.model, result.golden, result.baseline, tools=tools, options=request.options())
            rehearse(directory)
    return ProfileBuild(directory=directory, manifest=manifest, measured=result.measured, node_errors=result.node_errors, notes=result.notes)


def _judge_device(device: DeviceAddress, profile: HardwareProfile, signer: Signer | None) -> Host:
    from sealift_packager.measure.on_device import judge_device  # and with it an HTTP client, which most builds don't need

    return judge_device(device, profile, signer)


def _place(context: BuildContext, host: Host, device: DeviceAddress | None, *, measures: bool) -> keys.Place:
    node, seconds = (device.url if device else platform.node(), context.request.measure_seconds) if measures else ("", 0.0)
    return keys.Place(host=host, node=node, cpu_flags=context.machine.cpu_flags, seconds=seconds)


def _named(manifest: BundleManifest, context: BuildContext) -> BundleManifest:
    """The manifest as this release calls it: what nothing is computed from."""
    request = context.request
    return dataclasses.replace(
        manifest,
        name=request.name,
        version=request.version,
        created=context.created,
        description=request.description,
        license=request.license,
        owners=request.owners,
    )


def _result(setting: _Setting, log: MeasurementLog) -> ProfileResult:
    context, profile, host = setting.context, setting.profile, setting.place.host
    context.prepare()
    fp32, others = _judged(setting)
    arithmetic = {result.name: "" if isinstance(result, NotBuilt) else result.arithmetic for result in (fp32, *others)}
    if host.measures:
        built = [fp32, *(result for result in others if isinstance(result, CandidateResult))]
        figures = log.obtain("figures", dict[str, Figures], lambda: _figures(setting, built))
        fp32, others = _measured(fp32, others, figures, context.request.seed)
    check_arithmetic(log.obtain("arithmetic", dict[str, str], lambda: arithmetic), arithmetic, profile.name)
    choice = choose(fp32, others, profile.objective)
    golden, baseline = context.stages.run(
        keys.golden_and_baseline(profile, context.gate, choice.chosen, context.converted), lambda: _golden_and_baseline(context, choice.chosen)
    )
    disk_bytes = disk_estimate(choice.chosen.model, golden, baseline)
    return ProfileResult(
        manifest=make_manifest(context, profile, (fp32, *others), choice, host, golden=golden.info, disk_bytes=disk_bytes),
        model=choice.chosen.model,
        golden=golden,
        baseline=baseline,
        measured=dict(log.taken),
        node_errors={result.name: _node_errors(result) for result in others if isinstance(result, CandidateResult) and result.node_errors},
        notes=context.notes,
    )


def _node_errors(result: CandidateResult) -> dict[str, NodeError]:
    quantization = result.candidate.quantization
    excluded = quantization.excluded_nodes if quantization else ()
    return {name: NodeError(relative_squared_error=error, reverted=name in excluded) for name, error in result.node_errors.items()}


def _judged(setting: _Setting) -> tuple[CandidateResult, list[CandidateResult | NotBuilt]]:
    """fp32 and the others. Each is a stage of its own; what another processor answers depends on what can be emulated here."""
    context, profile, reference = setting.context, setting.profile, setting.context.reference
    run, gate, model = context.stages.run, context.gate, context.converted.model
    fp32 = keys.fp32(profile, gate, reference=context.digest, emulator=setting.emulator)
    if reference is None:
        return run(fp32, lambda: unquantized(model, profile)), []
    search = Search(model, profile, reference, context.machine, seed=context.request.seed, scratch=setting.scratch)
    _, *candidates = candidates_for(profile, with_data=True)
    if reference.in_doubt:
        return run(fp32, search.fp32), [NotBuilt(candidate=candidate, reason=_IN_DOUBT) for candidate in candidates]
    stages = {candidate: keys.quantized(profile, gate, candidate, reference=context.digest, emulator=setting.emulator) for candidate in candidates}
    return run(fp32, search.fp32), [run(stage, functools.partial(search.quantized, candidate)) for candidate, stage in stages.items()]


def _emulator(context: BuildContext, profile: HardwareProfile) -> str:
    """What would compute the profile's int8 arithmetic here, for the cache to know."""
    processor = emulated_processor(profile, context.machine)
    emulator = find_emulator(processor) if processor else None
    return f"{emulator} {emulator_digest(emulator)}" if emulator else ""


def _figures(setting: _Setting, results: Sequence[CandidateResult]) -> dict[str, Figures]:
    """What is measured is a stage that depends on the machine too."""
    context = setting.context
    return context.stages.run(keys.measuring(setting.profile, context.gate, results, setting.place), lambda: _measure(setting, results))


def _measure(setting: _Setting, results: Sequence[CandidateResult]) -> dict[str, Figures]:
    context, device, host, seconds = setting.context, setting.device, setting.place.host, setting.place.seconds
    specs, request = context.converted.inputs, context.request
    fixed, threads = only_batch(specs), thread_choices(setting.profile, host)
    size, holdout = fixed or max(BATCHES), None if device else context.holdout  # nobody's rows leave this machine
    made = make_inputs(specs, rows=size, seed=request.seed, accepted=context.converted.accepted)
    rows = made if holdout is None else take_rows(holdout.inputs, size)
    work, footprints = Workload(rows=rows, fixed=fixed), footprints_for(results, setting.profile.objective)
    if device:
        from sealift_packager.measure.on_device import measure_on_device

        return measure_on_device(device, request.signer, results, work, threads, machine=host.machine, seconds=seconds, footprints=footprints)
    return measure_candidates(
        results, work, threads, machine=host.machine, cores=host.cores, seconds=seconds, footprints=footprints, scratch=setting.scratch
    )


def _measured(
    fp32: CandidateResult, others: Sequence[CandidateResult | NotBuilt], figures: Mapping[str, Figures], seed: int
) -> tuple[CandidateResult, list[CandidateResult | NotBuilt]]:
    """The same with their figures, and with how much faster than fp32 they are."""

    def faster(result: CandidateResult) -> CandidateResult:
        measured_figures = figures[result.name]
        return dataclasses.replace(
            result, figures=measured_figures, speedup=speedup(figures[fp32.name].samples_ms, measured_figures.samples_ms, seed=seed)
        )

    measured = [faster(result) if isinstance(result, CandidateResult) and result.name in figures else result for result in others]
    return dataclasses.replace(fp32, figures=figures.get(fp32.name)), measured


def _golden_and_baseline(context: BuildContext, chosen: CandidateResult) -> tuple[Golden, Baseline]:
    converted, holdout, seed = context.converted, context.holdout, context.request.seed
    golden = make_golden(
        chosen.model,
        converted.inputs,
        holdout.inputs if holdout else None,
        precision=chosen.candidate.precision,
        seed=seed,
        entries=chosen.candidate.session_entries,
        rows=context.golden_rows,
        accepted=converted.accepted,
    )
    if holdout is None or chosen.judgement is None:
        return golden, Baseline.empty()
    return golden, build_baseline(holdout.inputs, chosen.judgement.outputs, converted.inputs, converted.outputs, seed=seed)
