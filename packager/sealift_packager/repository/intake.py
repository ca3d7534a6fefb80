"""What comes into a repository: a release, checked as a device would check it, and its blobs."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Collection, Iterable
from pathlib import Path

from sealift_core import beneath, durable
from sealift_core.bundle.layout import Descriptor, OciLayout
from sealift_core.bundle.release import Release, only_release, read_listed_bundle
from sealift_core.disk_room import check_fits
from sealift_core.errors import IntegrityError, SignatureError
from sealift_core.signing.keys import PublicKey
from sealift_core.verify.check import check_release_bundle, check_signer
from sealift_packager.errors import RepositoryError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRelease:
    """A release whose every byte and signature was checked: where it is, and all its blobs, each once."""

    layout: OciLayout
    release: Release
    descriptor: Descriptor
    blobs: tuple[Descriptor, ...]


def check_release(directory: Path, expected_key: PublicKey | None) -> CheckedRelease:
    """Check a packager's output.

    1. It is the OCI layout of one release.
    2. It names the key that signed its bundles, and that is the expected key, where one is given.
    3. `check_bundle` holds for every bundle, with that key, as a device will ask.

    Raises `RepositoryError` (1: no layout), `SignatureError` (2), `IntegrityError` (1), or what `check_bundle` raises.
    """
    if not beneath.is_file(directory, "oci-layout"):
        raise RepositoryError("not a release", where=str(directory), expected="a directory that `sealift pack` wrote", advice="See `sealift pack`.")
    layout = OciLayout.open(directory)
    release, descriptor = only_release(layout)  # 1
    if release.public_key is None:  # 2
        raise SignatureError("the release is not signed", where=str(directory), advice="Pack it with --key.")
    if expected_key is not None:
        check_signer(release, expected_key, where=str(directory))
    blobs = {descriptor.digest: descriptor}
    for ref in release.bundles:
        check_release_bundle(layout, release, ref, key=release.public_key)  # 3
        blobs |= {blob.digest: blob for blob in (ref.manifest, *read_listed_bundle(layout, ref).blobs())}
    return CheckedRelease(layout=layout, release=release, descriptor=descriptor, blobs=tuple(blobs.values()))


def import_blobs(source: OciLayout, target: OciLayout, blobs: Iterable[Descriptor]) -> int:
    """Bring copies of blobs into a layout, durably; how many were new.

    Each copy is checked before it gets its name, and shares nothing with the source that an edit there could change. What is there already
    stays if it is a whole file of its own; one that is damaged, a link, or linked from elsewhere is replaced.
    """
    missing = missing_blobs(target, blobs)
    for blob in missing:
        source.copy_blob(blob, target.path(blob.digest))
    durable.sync_directory(target.blobs)
    return len(missing)


def missing_blobs(target: OciLayout, blobs: Iterable[Descriptor]) -> list[Descriptor]:
    """The blobs that a layout lacks, or has damaged or shared; `DiskFullError` or `StoreError` if they don't fit there."""
    granted = stat.S_IMODE((target.directory / "oci-layout").lstat().st_mode)  # where a file system has no permissions, what it gives every file
    missing = [blob for blob in blobs if not _is_published(target, blob, (durable.PUBLIC_MODE, granted))]
    check_fits(target.directory, [blob.size_bytes for blob in missing])
    return missing


def _is_published(layout: OciLayout, blob: Descriptor, modes: Collection[int]) -> bool:
    """Whether a blob is there, unchanged, readable by everybody, and reached by no other name through which it could be edited."""
    try:
        with layout.open_blob(blob.digest) as file:
            status = os.fstat(file.fileno())
            unshared = status.st_nlink == 1 and stat.S_IMODE(status.st_mode) in modes
            return unshared and beneath.hash_open(file, blob.size_bytes, where=str(blob.digest)) == blob.digest.hex
    except (IntegrityError, PermissionError):
        return False
