"""The pipeline: a trained model goes in, a bundle for each profile comes out, and all of them in a release."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

from sealift_core.hardware.machine import detect_machine
from sealift_core.hardware.profile import HardwareProfile
from sealift_core.schema.documents import Json
from sealift_packager.build import keys
from sealift_packager.build.context import BuildContext
from sealift_packager.build.data_functions import given_as_files
from sealift_packager.build.packed import BuildOptions, Packed, Unsigned
from sealift_packager.build.profile_build import build_profile
from sealift_packager.build.profile_result import ProfileBuild
from sealift_packager.build.request import PackRequest, time_of_build
from sealift_packager.build.sealing import pack_with
from sealift_packager.cache.stage import Stages
from sealift_packager.cache.store import Store
from sealift_packager.cache.tools import tool_versions, version_of
from sealift_packager.data.files import data_tools
from sealift_packager.lock.lockfile import Lock, ProfileLock, check_choice, check_inputs, check_profile
from sealift_packager.lock.measurement_log import MeasurementLog
from sealift_packager.measure.device_address import notes_on_unused
from sealift_packager.measure.host import judge_host
from sealift_packager.model.source import INLINE_BYTES, WeightPlace
from sealift_packager.plugins.user_code import code_of
from sealift_packager.progress.progress import Progress
from sealift_packager.sandbox.activity import during, reading

__all__ = ["Packed", "build", "pack"]


def pack(
    request: PackRequest,
    progress: Progress | None = None,
    *,
    cache: Store | None = None,
    lock: Lock | None = None,
    inline_bytes: int = INLINE_BYTES,
) -> Packed:
    """Build a release in this process, which reads and runs the model (`sandbox.build.pack` has another process do that).

    What ``cache`` has of the same content isn't done again. A model of more than ``inline_bytes`` of weights is built with its weights in
    files (see `tensors`). Raises a `PackagerError`; then nothing is left at ``request.out`` that wasn't there.
    """
    return pack_with(build, request, progress, BuildOptions(cache=cache, lock=lock, inline_bytes=inline_bytes))


def build(request: PackRequest, scratch: Path, progress: Progress, options: BuildOptions) -> Unsigned:
    """Build a bundle for each profile, in a folder of its own below ``scratch``.

    1. A function that gives the data is called first: its content counts. The lock (if there is one) must be of the same source, data, options
       and tools.
    2. Load the model and the data, fit one to the other, convert, and prove that the graph answers like its source.
    3. For each profile: build candidates, measure (or believe the lock), choose, make golden cases and baseline, write the bundle.
    """
    with given_as_files(request) as filed:
        return _build_all(filed, scratch, progress, options)


def _build_all(request: PackRequest, scratch: Path, progress: Progress, options: BuildOptions) -> Unsigned:
    with during(reading("onnx")):
        inputs = keys.build_inputs(request)
    lock = options.lock
    if lock is not None:
        check_inputs(lock, inputs or {}, {name: version for name in lock.tools if (version := version_of(name))})  # 1
    machine = detect_machine()
    code = {**code_of(request.factory), **code_of(request.metric)} if inputs is not None else {}  # as it is before it is imported
    stages = Stages(options.cache, progress, keys.base(request, inputs, machine), code)
    created = lock.created if lock else request.created or time_of_build()
    place = WeightPlace(inline_bytes=options.inline_bytes, folder=scratch)
    context = BuildContext(request, stages, progress, machine, created, place)
    builds = [_build(context, profile, scratch, progress, lock) for profile in request.profiles]  # 2, 3
    idle = (
        notes_on_unused(request.measure_on, {profile.name: judge_host(profile, machine).measures for profile in request.profiles})
        if lock is None
        else ()
    )
    return Unsigned(
        directories={built.manifest.profile.name: built.directory for built in builds},
        lock=_lock(request, created, inputs or {}, builds),
        node_errors={built.manifest.profile.name: built.node_errors for built in builds},
        notes=(*dict.fromkeys(note for built in builds for note in built.notes), *idle),
    )


def _build(context: BuildContext, profile: HardwareProfile, scratch: Path, progress: Progress, lock: Lock | None) -> ProfileBuild:
    if lock is None:
        return build_profile(context, profile, scratch, progress, MeasurementLog())
    locked = check_profile(lock, profile.name, keys.profile_digest(profile))
    build = build_profile(context, profile, scratch, progress, MeasurementLog(locked.measured, where=f"lock: profiles.{profile.name}.measured"))
    check_choice(locked, profile.name, _chosen(build))
    return build


def _chosen(build: ProfileBuild) -> str:
    return next(candidate.name for candidate in build.manifest.evaluation.candidates if candidate.chosen)


def _lock(request: PackRequest, created: datetime.datetime, inputs: Mapping[str, Json], builds: Sequence[ProfileBuild]) -> Lock:
    profiles = {
        build.manifest.profile.name: ProfileLock(digest=keys.profile_digest(build.manifest.profile), chosen=_chosen(build), measured=build.measured)
        for build in builds
    }
    framework = builds[0].manifest.model.source_framework
    return Lock(
        name=request.name,
        created=created.replace(microsecond=0),
        inputs=inputs,
        tools=tool_versions(framework, data_tools(request.data)),
        profiles=profiles,
    )
