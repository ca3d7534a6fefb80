"""The pipeline: a trained model goes in, a release with a bundle per profile comes out."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

from sealift_packager.assemble.output import building, check_free
from sealift_packager.assemble.release import write_release
from sealift_packager.data.files import data_tools
from sealift_packager.inmemory.functions import given_as_files
from sealift_packager.load.source import INLINE_BYTES, WeightPlace
from sealift_packager.lock.evidence import Evidence
from sealift_packager.lock.lockfile import Lock, ProfileLock, check_choice, check_inputs, check_profile
from sealift_packager.measure.device import unasked
from sealift_packager.measure.host import judge_host
from sealift_packager.profile_build import ProfileBuild, build_profile
from sealift_packager.progress import Progress, Silent
from sealift_packager.quantize.node_error import NodeError
from sealift_packager.request import PackRequest, time_of_build
from sealift_packager.shared import Shared
from sealift_packager.stages.keys import arithmetic, build_inputs, profile_digest
from sealift_packager.stages.stage import Stages
from sealift_packager.stages.store import StageStore
from sealift_packager.stages.user_code import code_of
from sealift_packager.tools import all_versions, environment, tool_versions, version_of
from sealift_runtime.bundle.digest import Digest
from sealift_runtime.bundle.manifest import BundleManifest
from sealift_runtime.bundle.profile import HardwareProfile
from sealift_runtime.bundle.release import Release
from sealift_runtime.documents import Json
from sealift_runtime.hardware.machine import Machine, detect_machine


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A finished release: where its layout is, the digest of its index, each bundle's manifest by profile, and the evidence it rests on.

    ``node_errors`` is what int8 costs each node, by profile and candidate; ``notes`` are sentences on parity and on the data, warnings among them.
    """

    release: Release
    directory: Path
    digest: Digest
    manifests: dict[str, BundleManifest]
    lock: Lock
    node_errors: dict[str, Mapping[str, Mapping[str, NodeError]]] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()


def pack(
    request: PackRequest,
    progress: Progress | None = None,
    *,
    cache: StageStore | None = None,
    lock: Lock | None = None,
    inline_bytes: int = INLINE_BYTES,
) -> Packed:
    """Build a release.

    1. The output place must be free, and the lock (if there is one) must be of the same source, data, options and tools. A
       function that gives the data is called first: its content counts.
    2. Load the model and the data, fit one to the other, convert, and prove that the graph answers like its source.
    3. For each profile: build candidates, measure (or believe the lock), choose, make golden cases and baseline, write and sign the bundle.
    4. Put all into an OCI layout, which appears whole at ``request.out``.

    What ``cache`` has of the same content isn't done again. A model of more than ``inline_bytes`` of weights is built with its weights in
    files (see `tensors`). Raises a `PackagerError`; then nothing is left at ``request.out`` that wasn't there.
    """
    progress = progress or Silent()
    check_free(request.out, force=request.force)  # 1
    with given_as_files(request) as filed:
        return _pack(filed, progress, cache, lock, inline_bytes)


def _pack(request: PackRequest, progress: Progress, cache: StageStore | None, lock: Lock | None, inline_bytes: int) -> Packed:
    inputs = build_inputs(request)
    if lock is not None:
        check_inputs(lock, inputs or {}, {name: version for name in lock.tools if (version := version_of(name))})
    machine = detect_machine()
    base, code = _cache_base(request, inputs, machine)
    stages = Stages(cache, progress, base, code)
    created = lock.created if lock else request.created or time_of_build()
    with building(request.out, force=request.force) as scratch:
        place = WeightPlace(inline_bytes=inline_bytes, folder=scratch)
        shared = Shared(request, stages, progress, machine, created, place)
        builds = [_build(shared, profile, scratch, progress, lock) for profile in request.profiles]  # 2, 3
        with progress.stage("Write the release"):  # 4
            key = request.signer.public_key if request.signer else None
            directories = [build.directory for build in builds]
            release, descriptor = write_release(scratch / "release", request.name, request.version, directories, key)
    manifests = {build.manifest.profile.name: build.manifest for build in builds}
    idle = unasked(request.measure_on, {row.name: judge_host(row, machine).measures for row in request.profiles}) if lock is None else ()
    return Packed(
        release=release,
        directory=request.out,
        digest=descriptor.digest,
        manifests=manifests,
        lock=_lock(request, created, inputs or {}, builds),
        node_errors={build.manifest.profile.name: build.node_errors for build in builds},
        notes=(*dict.fromkeys(note for build in builds for note in build.notes), *idle),
    )


def _build(shared: Shared, profile: HardwareProfile, scratch: Path, progress: Progress, lock: Lock | None) -> ProfileBuild:
    if lock is None:
        return build_profile(shared, profile, scratch, progress, Evidence())
    locked = check_profile(lock, profile.name, profile_digest(profile))
    build = build_profile(shared, profile, scratch, progress, Evidence(locked.measured, where=f"lock: profiles.{profile.name}.measured"))
    check_choice(locked, profile.name, _chosen(build))
    return build


def _chosen(build: ProfileBuild) -> str:
    return next(row.name for row in build.manifest.evaluation.candidates if row.chosen)


def _cache_base(request: PackRequest, inputs: Mapping[str, Json] | None, machine: Machine) -> tuple[dict[str, Json] | None, dict[str, str]]:
    """What every stage depends on, or None where the content can't be told; and the code of factory and metric, as it is before it is imported.

    Metric and budget only matter once candidates are judged.
    """
    if inputs is None:
        return None, {}
    kept: dict[str, Json] = {name: value for name, value in inputs.items() if name not in ("metric", "metric_code", "max_drop")}
    suffix = request.data.suffix if request.data else ""
    base: dict[str, Json] = {"inputs": kept, "tools": all_versions(), "environment": environment(), "suffix": suffix}
    return {**base, "arithmetic": arithmetic(machine)}, {**code_of(request.factory), **code_of(request.metric)}


def _lock(request: PackRequest, created: datetime.datetime, inputs: Mapping[str, Json], builds: Sequence[ProfileBuild]) -> Lock:
    rows = {
        build.manifest.profile.name: ProfileLock(digest=profile_digest(build.manifest.profile), chosen=_chosen(build), measured=build.measured)
        for build in builds
    }
    framework = builds[0].manifest.model.source_framework
    return Lock(
        name=request.name,
        created=created.replace(microsecond=0),
        inputs=inputs,
        tools=tool_versions(framework, data_tools(request.data)),
        profiles=rows,
    )
