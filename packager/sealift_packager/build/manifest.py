"""bundle.json from what the build found. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sealift_core.bundle.evaluation import CandidateRecord, Evaluation
from sealift_core.bundle.manifest import BundleManifest, GoldenInfo, Lineage, ModelInfo, Requirements, SessionSettings
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.hardware.profile import HardwareProfile
from sealift_core.schema.documents import Json
from sealift_packager.candidates.candidate import ONNXRUNTIME
from sealift_packager.candidates.result import CandidateResult, NotBuilt
from sealift_packager.data.holdout import Holdout
from sealift_packager.graph.onnxruntime_kernels import required_onnxruntime
from sealift_packager.graph.session import Settings
from sealift_packager.measure.host import Host, thread_choices
from sealift_packager.search.choose import Choice

if TYPE_CHECKING:
    from sealift_packager.build.context import BuildContext

#: What Python, numpy and onnxruntime take before a model is loaded, about.
BASE_MEMORY_BYTES: Final = 64 * 2**20


def make_manifest(
    context: BuildContext,
    profile: HardwareProfile,
    results: Sequence[CandidateResult | NotBuilt],
    choice: Choice,
    host: Host,
    *,
    golden: GoldenInfo,
    disk_bytes: int,
) -> BundleManifest:
    """The chosen candidate's manifest, with every candidate's record."""
    request, converted, chosen = context.request, context.converted, choice.chosen
    return BundleManifest(
        name=request.name,
        version=request.version,
        created=context.created,
        description=request.description,
        license=request.license,
        profile=profile,
        model=ModelInfo(
            file="model.onnx",
            opset=converted.opset,
            precision=chosen.candidate.precision,
            recipe=_recipe(chosen, request.seed),
            source_framework=context.source.framework,
        ),
        inputs=_inputs(context),
        outputs=_outputs(context),
        session=_session(chosen, profile, host),
        requires=_requirements(chosen, profile, disk_bytes),
        golden=golden,
        evaluation=_evaluation(context.holdout, results, choice, host),
        owners=request.owners,
        lineage=_lineage(context),
    )


def _inputs(context: BuildContext) -> tuple[TensorSpec, ...]:
    """With what the data says of their meaning, where the model doesn't."""
    holdout = context.holdout
    if holdout is None:
        return context.converted.inputs
    return tuple(
        dataclasses.replace(
            spec,
            description=holdout.descriptions.get(spec.name, spec.description),
            columns=spec.columns or holdout.columns.get(spec.name, ()),
        )
        for spec in context.converted.inputs
    )


def _outputs(context: BuildContext) -> tuple[TensorSpec, ...]:
    """With the data's names for the classes, where an output has a number for each."""
    names = context.holdout.classes if context.holdout else ()
    return tuple(
        dataclasses.replace(spec, classes=names) if names and spec.shape[1:] == (len(names),) else spec for spec in context.converted.outputs
    )


def _session(chosen: CandidateResult, profile: HardwareProfile, host: Host) -> SessionSettings:
    settings = _settings(chosen, profile, host)
    return SessionSettings(
        providers=profile.providers,
        intra_op_threads=settings.threads,
        inter_op_threads=1,
        graph_optimization=settings.graph_optimization,
        config=settings.config,
    )


def _requirements(chosen: CandidateResult, profile: HardwareProfile, disk_bytes: int) -> Requirements:
    return Requirements(
        onnxruntime=",".join(filter(None, (profile.onnxruntime, ONNXRUNTIME.get(chosen.candidate.precision), required_onnxruntime(chosen.model)))),
        cpu_flags=profile.cpu.required_flags,
        memory_bytes=BASE_MEMORY_BYTES + 2 * chosen.size_bytes,  # the file's pages, and the weights as kernels pack them
        disk_bytes=disk_bytes,
    )


def _lineage(context: BuildContext) -> Lineage:
    notes: list[Json] = list(context.oddities)
    return Lineage(source_digest=str(context.source.digest), annotations={"data_notes": notes} if notes else {})


def _settings(chosen: CandidateResult, profile: HardwareProfile, host: Host) -> Settings:
    """What was tuned; where nothing was measured, the most threads that the profile's machines have cores for."""
    entries, figures = chosen.candidate.session_entries, chosen.figures
    if figures is None:
        return Settings(threads=thread_choices(profile, host)[0], entries=entries)
    return Settings(threads=figures.threads, graph_optimization=figures.graph_optimization, entries=entries)


def _recipe(chosen: CandidateResult, seed: int) -> dict[str, Json]:
    recipe = chosen.candidate.recipe()
    if chosen.calibration_rows:
        recipe |= {"calibration_rows": chosen.calibration_rows, "seed": seed}
    return recipe


def _evaluation(holdout: Holdout | None, results: Sequence[CandidateResult | NotBuilt], choice: Choice, host: Host) -> Evaluation:
    chosen = choice.chosen
    return Evaluation(
        verdict="passed" if holdout else "not evaluated",
        holdout_digest=str(holdout.digest) if holdout else None,
        holdout_rows=holdout.rows if holdout else None,
        accuracy=chosen.accuracy,
        measurement=chosen.figures.measurement if chosen.figures else None,
        measured=host.measured,
        candidates=tuple(_record(result, choice) for result in results),
    )


def _record(result: CandidateResult | NotBuilt, choice: Choice) -> CandidateRecord:
    built = result if isinstance(result, CandidateResult) else None
    return CandidateRecord(
        name=result.candidate.name,
        precision=result.candidate.precision,
        size_bytes=built.size_bytes if built else 0,
        accuracy=built.accuracy if built else None,
        measurement=built.figures.measurement if built and built.figures else None,
        speedup=round(built.speedup.ratio, 3) if built and built.speedup else None,
        chosen=result is choice.chosen,
        reason=choice.reasons[result.name],
    )
