"""From a request to a release: whoever builds, in this process or in another one, builds first; signing comes last, and nothing is signed unread."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.signature import sign_directory
from sealift_core.terminal.records import facts
from sealift_core.verify.check import BundleIdentity, DirectoryBundle, check_bundle
from sealift_packager.assemble.output import building, check_free
from sealift_packager.assemble.release import write_release
from sealift_packager.build.packed import Builder, BuildOptions, Packed
from sealift_packager.build.request import PackRequest
from sealift_packager.progress.progress import Logged, Progress

_LOG: Final = logging.getLogger("sealift.pack")


def pack_with(builder: Builder, request: PackRequest, progress: Progress | None, options: BuildOptions) -> Packed:
    """Build a release.

    1. The output place must be free.
    2. The bundles are built, each in a directory.
    3. Each is checked as a device checks it, must be what was asked for, and is signed.
    4. All go into an OCI layout, which appears whole at ``request.out``.
    """
    progress = progress or Logged()
    check_free(request.out, force=request.force)  # 1
    _tell_request(request, options)
    with building(request.out, force=request.force) as scratch:
        unsigned = builder(request, scratch, progress, options)  # 2
        with progress.stage("Write the release"):
            manifests = {name: _sign(directory, name, request) for name, directory in unsigned.directories.items()}  # 3
            key = request.signer.public_key if request.signer else None
            bundles = list(unsigned.directories.values())
            release, descriptor = write_release(scratch / "release", request.name, request.version, bundles, key)  # 4
    _LOG.info("Wrote the release %s %s (%s) to %s", request.name, request.version, descriptor.digest, request.out)
    return Packed(
        release=release,
        directory=request.out,
        digest=descriptor.digest,
        manifests=manifests,
        lock=unsigned.lock,
        node_errors=unsigned.node_errors,
        notes=unsigned.notes,
    )


def _sign(directory: Path, profile: str, request: PackRequest) -> BundleManifest:
    identity = BundleIdentity(name=request.name, version=request.version, profile=profile)
    manifest = check_bundle(DirectoryBundle(directory=directory), key=None, identity=identity, documents=False).manifest
    if request.signer is None:
        _LOG.info("%s: the bundle is complete; it isn't signed, because --key was not given", profile)
    else:
        sign_directory(directory, f"{request.name}-{request.version}-{profile}", request.signer)
        signer = request.signer.public_key.fingerprint
        _LOG.info("%s: the bundle is complete; signed it with the key %s", profile, signer, extra=facts(profile=profile, key=signer))
    return manifest


def _tell_request(request: PackRequest, options: BuildOptions) -> None:
    profiles = ", ".join(profile.name for profile in request.profiles)
    data = f"with the data {request.data}" if request.data else "without data, so no candidate is calibrated or evaluated"
    _LOG.info("Packing %s as %s %s for %s, %s", request.model, request.name, request.version, profiles, data)
    cache = "results of earlier builds are reused if nothing changed" if options.cache else "the cache is not used"
    _LOG.debug("%s; %s", "The lock's measurements are used" if options.lock else "Candidates are measured", cache)
