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
from sealift_packager.candidates.built import Built
from sealift_packager.candidates.spec import ONNXRUNTIME
from sealift_packager.graph.onnxruntime_kernels import required_onnxruntime
from sealift_packager.graph.session import Settings
from sealift_packager.measure.host import Host, thread_choices
from sealift_packager.search.assessed import Assessed
from sealift_packager.search.choose import Choice

if TYPE_CHECKING:
    from sealift_packager.build.context import Shared

#: What Python, numpy and onnxruntime take before a model is loaded, about.
BASE_MEMORY_BYTES: Final = 64 * 2**20


def make_manifest(
    shared: Shared,
    profile: HardwareProfile,
    chosen: Built,
    assessed: Sequence[Assessed],
    choice: Choice,
    host: Host,
    *,
    golden: GoldenInfo,
    disk_bytes: int,
) -> BundleManifest:
    """The chosen candidate's manifest, with every candidate's record."""
    request, converted = shared.request, shared.converted
    return BundleManifest(
        name=request.name,
        version=request.version,
        created=shared.created,
        description=request.description,
        license=request.license,
        profile=profile,
        model=ModelInfo(
            file="model.onnx",
            opset=converted.opset,
            precision=chosen.spec.precision,
            recipe=_recipe(chosen, shared),
            source_framework=shared.source.framework,
        ),
        inputs=_inputs(shared),
        outputs=converted.outputs,
        session=_session(choice.chosen, profile, host),
        requires=_requirements(chosen, profile, disk_bytes),
        golden=golden,
        evaluation=_evaluation(shared, assessed, choice, host),
        owners=request.owners,
        lineage=_lineage(shared),
    )


def _inputs(shared: Shared) -> tuple[TensorSpec, ...]:
    """With what the data says of their meaning."""
    known = shared.holdout.descriptions if shared.holdout else {}
    return tuple(dataclasses.replace(spec, description=known.get(spec.name, "")) for spec in shared.converted.inputs)


def _session(chosen: Assessed, profile: HardwareProfile, host: Host) -> SessionSettings:
    settings = _settings(chosen, profile, host)
    return SessionSettings(
        providers=profile.providers,
        intra_op_threads=settings.threads,
        inter_op_threads=1,
        graph_optimization=settings.graph_optimization,
        config=settings.config,
    )


def _requirements(chosen: Built, profile: HardwareProfile, disk_bytes: int) -> Requirements:
    return Requirements(
        onnxruntime=",".join(filter(None, (profile.onnxruntime, ONNXRUNTIME.get(chosen.spec.precision), required_onnxruntime(chosen.model)))),
        cpu_flags=profile.cpu.required_flags,
        memory_bytes=BASE_MEMORY_BYTES + 2 * chosen.size_bytes,  # the file's pages, and the weights as kernels pack them
        disk_bytes=disk_bytes,
    )


def _lineage(shared: Shared) -> Lineage:
    columns: dict[str, Json] = {name: list(names) for name, names in shared.source.columns.items()}
    classes: list[Json] = list(shared.holdout.classes) if shared.holdout else []
    known: dict[str, Json] = {"columns": columns, "classes": classes}
    return Lineage(source_digest=str(shared.source.digest), annotations={name: value for name, value in known.items() if value})


def _settings(chosen: Assessed, profile: HardwareProfile, host: Host) -> Settings:
    """What was tuned; where nothing was measured, the most threads that the profile's machines have cores for."""
    entries, figures = chosen.spec.session_entries, chosen.figures
    if figures is None:
        return Settings(threads=thread_choices(profile, host)[0], entries=entries)
    return Settings(threads=figures.threads, graph_optimization=figures.graph_optimization, entries=entries)


def _recipe(chosen: Built, shared: Shared) -> dict[str, Json]:
    recipe, seed = chosen.spec.recipe(), shared.request.seed
    if chosen.calibration_rows:
        recipe |= {"calibration_rows": chosen.calibration_rows, "seed": seed}
    return recipe


def _evaluation(shared: Shared, assessed: Sequence[Assessed], choice: Choice, host: Host) -> Evaluation:
    holdout, chosen = shared.holdout, choice.chosen
    return Evaluation(
        verdict="passed" if holdout else "not evaluated",
        holdout_digest=str(holdout.digest) if holdout else None,
        holdout_rows=holdout.rows if holdout else None,
        accuracy=chosen.accuracy,
        measurement=chosen.figures.measurement if chosen.figures else None,
        measured=host.measured,
        candidates=tuple(_record(row, choice) for row in assessed),
    )


def _record(row: Assessed, choice: Choice) -> CandidateRecord:
    return CandidateRecord(
        name=row.spec.name,
        precision=row.spec.precision,
        size_bytes=row.size_bytes,
        accuracy=row.accuracy,
        measurement=row.figures.measurement if row.figures else None,
        speedup=round(row.speedup.ratio, 3) if row.speedup else None,
        chosen=row is choice.chosen,
        reason=choice.reasons[row.spec.name],
    )
