"""The pipeline: a trained model goes in, a release with a bundle per profile comes out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sealift_packager.assemble.output import building, check_free
from sealift_packager.assemble.release import write_release
from sealift_packager.convert.registry import convert_model
from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import Holdout, bind
from sealift_packager.load.registry import load_model
from sealift_packager.load.source import LoadOptions, SourceModel
from sealift_packager.measure.metrics import find_metric
from sealift_packager.parity.check import check_parity
from sealift_packager.profile_build import ProfileBuild, Shared, build_profile, make_reference
from sealift_packager.progress import Progress, Silent
from sealift_packager.request import PackRequest, time_of_build
from sealift_runtime.bundle.digest import Digest
from sealift_runtime.bundle.manifest import BundleManifest
from sealift_runtime.bundle.release import Release
from sealift_runtime.hardware.machine import detect_machine


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A finished release: where its layout is, the digest of its index, and each bundle's manifest by profile."""

    release: Release
    directory: Path
    digest: Digest
    manifests: dict[str, BundleManifest]


def pack(request: PackRequest, progress: Progress | None = None) -> Packed:
    """Build a release.

    1. The output place must be free, and the options must make sense.
    2. Load the model and the data, and fit one to the other.
    3. Convert, and prove that the graph answers like its source.
    4. For each profile: build candidates, measure, choose, make golden cases and baseline, write and sign the bundle.
    5. Put all into an OCI layout, which appears whole at ``request.out``.

    Raises a `PackagerError`; then nothing is left at ``request.out`` that wasn't there.
    """
    progress = progress or Silent()
    check_free(request.out, force=request.force)  # 1
    metric = find_metric(request.metric) if request.metric else None
    with progress.stage("Load model and data"):  # 2
        source, holdout = _load(request)
    with progress.stage(f"Convert from {source.framework}"):  # 3
        converted = convert_model(source)
    with progress.stage("Check parity with the source"):
        check_parity(source, converted, holdout.inputs if holdout else None, seed=request.seed)
    reference = make_reference(source, holdout, metric, request) if holdout else None
    created = request.created or time_of_build()
    shared = Shared(
        request=request, source=source, converted=converted, holdout=holdout, reference=reference, machine=detect_machine(), created=created
    )
    with building(request.out, force=request.force) as scratch:
        builds: list[ProfileBuild] = [build_profile(shared, profile, scratch, progress) for profile in request.profiles]  # 4
        with progress.stage("Write the release"):  # 5
            key = request.signer.public_key if request.signer else None
            directories = [build.directory for build in builds]
            release, descriptor = write_release(scratch / "release", request.name, request.version, directories, key)
    manifests = {build.manifest.profile.name: build.manifest for build in builds}
    return Packed(release=release, directory=request.out, digest=descriptor.digest, manifests=manifests)


def _load(request: PackRequest) -> tuple[SourceModel, Holdout | None]:
    data = read_data(request.data) if request.data else None
    examples = data.arrays if data else {}
    options = LoadOptions(trust_pickle=request.trust_pickle, factory=request.factory, examples=examples, target=request.target)
    source = load_model(request.model, options)
    return source, bind(data, source, request.target) if data else None
