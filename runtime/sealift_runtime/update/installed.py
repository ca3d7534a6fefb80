"""Whether a bundle on this disk is, to the last byte, what its release says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sealift_runtime import beneath
from sealift_runtime.bundle import files
from sealift_runtime.bundle.digest import Digest
from sealift_runtime.bundle.graph import check_bundle_graph
from sealift_runtime.bundle.manifest import BundleManifest
from sealift_runtime.bundle.materialize import read_file, read_manifest
from sealift_runtime.bundle.release import BundleFiles, Release, read_release
from sealift_runtime.bundle.signature import check_listing, decode_signature
from sealift_runtime.errors import IntegrityError, SignatureError
from sealift_runtime.store.device_store import DeviceStore
from sealift_runtime.update.records import InstalledBundle


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckedBundle:
    """A bundle whose every byte was checked."""

    release: Release
    manifest: BundleManifest


def check_installed(store: DeviceStore, bundle: InstalledBundle) -> CheckedBundle:
    """Check a materialized bundle.

    1. The release's index has its digest, and lists the bundle.
    2. The bundle's OCI manifest has its digest.
    3. The directory holds exactly the files that it lists, each with its digest.
    4. If the release names a key, ``model.sig`` is by that key, over exactly these files and digests.
    5. ``bundle.json`` is of this name, version and profile, and sets up the session as it may.
    6. The graph can only compute: a good signature doesn't change that.

    Raises `IntegrityError` or `SignatureError` naming the file, `DocumentError` for a manifest or a graph that can't be read.
    """
    release = read_release(store.layout, bundle.release)  # 1
    if bundle.digest not in [row.manifest.digest for row in release.bundles]:
        raise IntegrityError("the release doesn't list this bundle", where=str(store.layout.path(bundle.release)), expected=str(bundle.digest))
    listed = store.bundle_files(bundle.digest)  # 2
    _check_files(listed, bundle.directory)  # 3
    if release.public_key:  # 4
        _check_signature(listed, bundle.directory, release)
    path = bundle.directory / files.MANIFEST
    manifest = read_manifest(bundle.directory)
    expected, found = (bundle.name, bundle.version, bundle.profile), (manifest.name, manifest.version, manifest.profile.name)
    if expected != found:  # 5
        raise IntegrityError("another bundle than expected", where=str(path), expected=" ".join(expected), found=" ".join(found))
    check_bundle_graph(bundle.directory)  # 6
    return CheckedBundle(release=release, manifest=manifest)


def _check_files(listed: BundleFiles, directory: Path) -> None:
    there = files.list_files(directory)
    for name in there.keys() | listed.layers.keys():
        if name not in there or name not in listed.layers:
            raise IntegrityError("a file is missing" if name not in there else "a file was added", where=str(directory / name))
    for name, path in there.items():
        expected = listed.layers[name]
        with beneath.open_file(directory, *name.split("/")) as file:
            found = Digest(beneath.hash_open(file, expected.size_bytes, where=str(path)))
        if expected.digest != found:
            raise IntegrityError("the content was changed", where=str(path), expected=str(expected.digest), found=str(found))


def _check_signature(listed: BundleFiles, directory: Path, release: Release) -> None:
    path = directory / files.SIGNATURE
    if files.SIGNATURE not in listed.layers or release.public_key is None:
        raise SignatureError("the bundle is not signed", where=str(path), expected="a signature by the key that its release names")
    statement = decode_signature(read_file(directory, files.SIGNATURE), release.public_key, where=str(path))
    layers = {name: row.digest for name, row in listed.layers.items() if name != files.SIGNATURE}
    check_listing(statement, layers, where=str(directory))
    for name, digest in statement.resources.items():
        if layers[name] != digest:
            raise SignatureError("another file was signed", where=str(directory / name), expected=str(digest), found=str(layers[name]))
