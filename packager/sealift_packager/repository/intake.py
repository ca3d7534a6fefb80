"""What comes into a repository: a release, checked as a device would check it, and its blobs."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from sealift_packager.errors import RepositoryError
from sealift_runtime import beneath, durable
from sealift_runtime.bundle import files, signature
from sealift_runtime.bundle.graph import check_blob_graph
from sealift_runtime.bundle.layout import Descriptor, OciLayout
from sealift_runtime.bundle.limits import LIMITS
from sealift_runtime.bundle.manifest import BundleManifest
from sealift_runtime.bundle.materialize import check_blobs
from sealift_runtime.bundle.release import BundleFiles, BundleRef, Release, only_release, read_listed_bundle
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
    3. Every blob of every bundle is there, unchanged: a regular file, by no link, of its size (compared before it is read) and its digest.
    4. Every bundle's ``model.sig`` is by that key and lists exactly the bundle's files with their digests.
    5. Every bundle.json names the release's model and version, and the profile under which it is listed; it sets up the session as it may.
    6. Every graph can only compute.

    Raises `RepositoryError` (1: no layout, not signed), `IntegrityError` (1, 3, 5, 6), `SignatureError` (2, 4) or `DocumentError` (5, 6).
    """
    if not beneath.is_file(directory, "oci-layout"):
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
        bundle = read_listed_bundle(layout, ref)
        check_blobs(layout, bundle)  # 3
        _check_signature(layout, bundle, release.public_key, where=f"{directory} ({ref.profile})")  # 4
        _check_manifest(layout, bundle, ref, release)  # 5
        check_blob_graph(layout, bundle, where=f"{directory} ({ref.profile})")  # 6
        blobs |= {row.digest: row for row in (ref.manifest, *bundle.blobs())}
    return CheckedRelease(layout=layout, release=release, descriptor=descriptor, blobs=tuple(blobs.values()))


def _check_signature(layout: OciLayout, bundle: BundleFiles, key: PublicKey, *, where: str) -> None:
    row = bundle.layers.get(files.SIGNATURE)
    layers = {name: layer.digest for name, layer in bundle.layers.items() if name != files.SIGNATURE}
    if row is None:
        raise RepositoryError("the bundle isn't signed", where=where, advice="Pack it with --key.")
    data = layout.read_blob(row, max_bytes=LIMITS.signature_bytes)
    statement = signature.decode_signature(data, key, where=f"{where}/{files.SIGNATURE}")
    signature.check_listing(statement, layers, where=where)
    for name, listed in statement.resources.items():
        if layers[name] != listed:
            raise IntegrityError("not the file that was signed", where=f"{where}/{name}", expected=str(listed), found=str(layers[name]))


def _check_manifest(layout: OciLayout, bundle: BundleFiles, ref: BundleRef, release: Release) -> None:
    data = layout.read_blob(bundle.layers[files.MANIFEST], max_bytes=LIMITS.manifest_bytes)
    manifest = BundleManifest.parse(data, where=f"{ref.profile}/{files.MANIFEST}")
    found = (manifest.name, manifest.version, manifest.profile.name)
    expected = (release.name, release.version, ref.profile)
    if found != expected:
        raise IntegrityError("the bundle isn't what the release says", where=ref.profile, expected=" ".join(expected), found=" ".join(found))


def import_blobs(source: OciLayout, target: OciLayout, blobs: Iterable[Descriptor]) -> int:
    """Bring copies of blobs into a layout, durably; how many were new.

    Each copy is checked before it gets its name, and shares nothing with the source that an edit there could change. What is there already
    stays if it is a whole file of its own; one that is damaged, a link, or linked from elsewhere is replaced.
    """
    new = 0
    for row in blobs:
        if not _is_published(target, row):
            source.copy_blob(row, target.path(row.digest))
            new += 1
    durable.sync_directory(target.blobs)
    return new


def _is_published(layout: OciLayout, row: Descriptor) -> bool:
    """Whether a blob is there, unchanged, readable by everybody, and reached by no other name through which it could be edited."""
    try:
        with layout.open_blob(row.digest) as file:
            status = os.fstat(file.fileno())
            own = status.st_nlink == 1 and stat.S_IMODE(status.st_mode) == durable.PUBLIC_MODE
            return own and beneath.hash_open(file, row.size_bytes, where=str(row.digest)) == row.digest.hex
    except (IntegrityError, PermissionError):
        return False
