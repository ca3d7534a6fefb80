"""What comes into a repository: a release, checked as a device would check it, and its blobs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

from sealift_packager.errors import RepositoryError
from sealift_runtime import durable
from sealift_runtime.bundle import files, signature
from sealift_runtime.bundle.digest import Digest
from sealift_runtime.bundle.graph import check_blob_graph
from sealift_runtime.bundle.layout import Descriptor, OciLayout, link_or_copy
from sealift_runtime.bundle.limits import LIMITS
from sealift_runtime.bundle.manifest import BundleManifest
from sealift_runtime.bundle.materialize import check_blobs
from sealift_runtime.bundle.release import BundleFiles, BundleRef, Release, only_release, read_bundle_files
from sealift_runtime.errors import IntegrityError, SignatureError
from sealift_runtime.signing.keys import PublicKey


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRelease:
    """A release whose every byte and signature was checked: where it is, and all its blobs, each once."""

    layout: OciLayout
    release: Release
    descriptor: Descriptor
    blobs: tuple[Descriptor, ...]


def check_release(directory: Path, expected_key: PublicKey | None) -> CheckedRelease:
    """Check a packager's output.

    1. It is the OCI layout of one release, which names the key that signed its bundles.
    2. That is the expected key, where one is given.
    3. Every blob of every bundle is there, unchanged.
    4. Every bundle's ``model.sig`` is by that key and lists exactly the bundle's files with their digests.
    5. Every bundle.json names the release's model and version, and the profile under which it is listed; it sets up the session as it may.
    6. Every graph can only compute.

    Raises `RepositoryError` (1: no layout, not signed), `IntegrityError` (1, 3, 5, 6), `SignatureError` (2, 4) or `DocumentError` (5, 6).
    """
    if not (directory / "oci-layout").is_file():
        raise RepositoryError("not a release", where=str(directory), expected="a directory that `sealift pack` wrote", advice="See `sealift pack`.")
    layout = OciLayout.open(directory)
    release, descriptor = only_release(layout)  # 1
    if release.public_key is None:
        raise RepositoryError("the release isn't signed", where=str(directory), advice="Pack it with --key.")
    if expected_key is not None and expected_key.fingerprint != release.public_key.fingerprint:  # 2
        raise SignatureError(
            "the release was signed with another key",
            where=str(directory),
            expected=f"{expected_key.fingerprint[:16]}…",
            found=f"{release.public_key.fingerprint[:16]}…",
        )
    blobs = {descriptor.digest: descriptor}
    for ref in release.bundles:
        bundle = read_bundle_files(layout, ref.manifest.digest)
        check_blobs(layout, bundle)  # 3
        _check_signature(layout, bundle, release.public_key, where=f"{directory} ({ref.profile})")  # 4
        _check_manifest(layout, bundle, ref, release)  # 5
        check_blob_graph(layout, bundle, where=f"{directory} ({ref.profile})")  # 6
        blobs |= {row.digest: row for row in (ref.manifest, *bundle.blobs())}
    return CheckedRelease(layout=layout, release=release, descriptor=descriptor, blobs=tuple(blobs.values()))


def _check_signature(layout: OciLayout, bundle: BundleFiles, key: PublicKey, *, where: str) -> None:
    layers = {name: row.digest for name, row in bundle.layers.items()}
    digest = layers.pop(files.SIGNATURE, None)
    if digest is None:
        raise RepositoryError("the bundle isn't signed", where=where, advice="Pack it with --key.")
    data = layout.read(digest, max_bytes=LIMITS.signature_bytes)
    statement = signature.decode_signature(data, key, where=f"{where}/{files.SIGNATURE}")
    signature.check_listing(statement, layers, where=where)
    for name, listed in statement.resources.items():
        if layers[name] != listed:
            raise IntegrityError("not the file that was signed", where=f"{where}/{name}", expected=str(listed), found=str(layers[name]))


def _check_manifest(layout: OciLayout, bundle: BundleFiles, ref: BundleRef, release: Release) -> None:
    data = layout.read(bundle.layers[files.MANIFEST].digest, max_bytes=LIMITS.manifest_bytes)
    manifest = BundleManifest.parse(data, where=f"{ref.profile}/{files.MANIFEST}")
    found = (manifest.name, manifest.version, manifest.profile.name)
    expected = (release.name, release.version, ref.profile)
    if found != expected:
        raise IntegrityError("the bundle isn't what the release says", where=ref.profile, expected=" ".join(expected), found=" ".join(found))


def import_blobs(source: OciLayout, target: OciLayout, blobs: Iterable[Descriptor]) -> int:
    """Bring blobs into a layout, durably, by hard link where that works; how many were new.

    Each is checked where it lies afterwards; one that was there already and is damaged is replaced.
    """
    new = 0
    target.blobs.mkdir(parents=True, exist_ok=True)
    for row in blobs:
        path = target.path(row.digest)
        if path.is_file() and Digest.of_file(path) == row.digest:
            continue
        path.unlink(missing_ok=True)
        link_or_copy(source.path(row.digest), path)
        _sync(path)
        if Digest.of_file(path) != row.digest:
            path.unlink()
            raise IntegrityError("the blob changed while it was brought in", where=str(source.path(row.digest)), expected=str(row.digest))
        new += 1
    durable.sync_directory(target.blobs)
    return new


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
