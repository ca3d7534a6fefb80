"""What `pack` wrote, opened again: a release (an OCI layout) or one bundle (a directory); inspected, verified, unpacked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

from sealift_packager.errors import OutputError, PackagerError
from sealift_runtime import beneath
from sealift_runtime.bundle import files
from sealift_runtime.bundle.baseline import Baseline
from sealift_runtime.bundle.golden import decode_golden
from sealift_runtime.bundle.graph import check_blob_graph
from sealift_runtime.bundle.layout import OciLayout
from sealift_runtime.bundle.manifest import BundleManifest
from sealift_runtime.bundle.materialize import check_blobs, check_directory, materialize, read_file
from sealift_runtime.bundle.release import BundleFiles, BundleRef, Release, only_release, read_listed_bundle
from sealift_runtime.bundle.signature import check_listing, decode_signature
from sealift_runtime.errors import IntegrityError, SignatureError
from sealift_runtime.signing.keys import PublicKey

_EXPECTED: Final = "a release (a directory with oci-layout) or a bundle (a directory with bundle.json)"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleView:
    """One bundle: its manifest, the size of its files by name, whether there is a signature (not whether it holds)."""

    manifest: BundleManifest
    sizes: dict[str, int]
    signed: bool
    digest: str | None


def is_release(path: Path) -> bool:
    """Whether a path is a release; `PackagerError` if it is no bundle directory either."""
    if beneath.is_file(path, "oci-layout"):
        return True
    if (path / files.MANIFEST).is_file():
        return False
    found = "nothing" if not path.exists() else "a file" if path.is_file() else "a directory with neither"
    raise PackagerError("nothing that sealift wrote", where=str(path), expected=_EXPECTED, found=found)


def view(path: Path, profile: str | None = None) -> list[BundleView]:
    """Every bundle of a release or the one in a directory; those of one profile if it is given."""
    if not is_release(path):
        sizes = {name: file.lstat().st_size for name, file in files.list_files(path).items()}
        return [BundleView(manifest=check_directory(path, None), sizes=sizes, signed=files.SIGNATURE in sizes, digest=None)]
    layout, release, refs = _open(path, profile)
    return [_view_ref(layout, ref, f"{release.name} {release.version}") for ref in refs]


def verify(path: Path, key: PublicKey, profile: str | None = None) -> list[BundleView]:
    """Check every digest and signature of a release or of a bundle directory, and that its documents can be read.

    1. Every blob is there and has its digest (a release).
    2. ``model.sig`` is signed by ``key`` and lists exactly the files of the bundle, with their digests.
    3. Manifest, golden cases and baseline can be read, and are of the release's name, version and profile.
    4. The manifest sets up the session as it may, and the graph can only compute.

    Raises `IntegrityError`, `SignatureError` or `DocumentError` naming what fails.
    """
    if not is_release(path):
        manifest = check_directory(path, key)  # 2, 4
        _check_documents(manifest, {name: read_file(path, name) for name in (files.GOLDEN, files.BASELINE)}, str(path))  # 3
        return view(path)
    layout, release, refs = _open(path, profile)
    if release.public_key is not None and release.public_key.fingerprint != key.fingerprint:
        expected = f"the key {key.fingerprint[:16]}…"
        raise SignatureError("the release names another key", where=str(path), expected=expected, found=f"{release.public_key.fingerprint[:16]}…")
    for ref in refs:
        _verify_ref(layout, release, ref, key)
    return [_view_ref(layout, ref, str(path)) for ref in refs]


def unpack(path: Path, profile: str, target: Path) -> BundleManifest:
    """Make ``target`` the bundle directory of one profile, of copies that are checked as they are made; `OutputError` if something stands there."""
    if not is_release(path):
        raise PackagerError("not a release", where=str(path), expected="a directory with oci-layout", found="a bundle directory, already unpacked")
    if target.exists() or target.is_symlink():
        raise OutputError("the output place is taken", where=str(target), advice="Choose another directory.")
    layout, _, refs = _open(path, profile)
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    materialize(layout, refs[0].manifest.digest, target.absolute(), copies=True)
    return check_directory(target, None)


def _open(path: Path, profile: str | None) -> tuple[OciLayout, Release, list[BundleRef]]:
    layout = OciLayout.open(path)
    release, _ = only_release(layout)
    return layout, release, [release.bundle(profile)] if profile else list(release.bundles)


def _view_ref(layout: OciLayout, ref: BundleRef, where: str) -> BundleView:
    bundle = read_listed_bundle(layout, ref)
    manifest = BundleManifest.parse(_blob(layout, bundle, files.MANIFEST), where=f"{where}: {ref.profile}/{files.MANIFEST}")
    sizes = {name: layer.size_bytes for name, layer in bundle.layers.items()}
    return BundleView(manifest=manifest, sizes=sizes, signed=files.SIGNATURE in sizes, digest=str(ref.manifest.digest))


def _verify_ref(layout: OciLayout, release: Release, ref: BundleRef, key: PublicKey) -> None:
    bundle = read_listed_bundle(layout, ref)
    check_blobs(layout, bundle)  # 1
    _verify_signature(layout, bundle, key, f"{layout.directory}: {ref.profile}")  # 2
    where = f"{layout.directory}: {ref.profile}"  # 3
    manifest = BundleManifest.parse(_blob(layout, bundle, files.MANIFEST), where=f"{where}/{files.MANIFEST}")
    found, expected = (manifest.name, manifest.version, manifest.profile.name), (release.name, release.version, ref.profile)
    if found != expected:
        raise IntegrityError("the bundle is another one than the release says", where=where, expected=" ".join(expected), found=" ".join(found))
    _check_documents(manifest, {name: _blob(layout, bundle, name) for name in (files.GOLDEN, files.BASELINE)}, where)
    check_blob_graph(layout, bundle, where=where)  # 4


def _verify_signature(layout: OciLayout, bundle: BundleFiles, key: PublicKey, where: str) -> None:
    if files.SIGNATURE not in bundle.layers:
        raise SignatureError("the bundle is not signed", where=where, advice="Pack it with --key.")
    statement = decode_signature(_blob(layout, bundle, files.SIGNATURE), key, where=f"{where}/{files.SIGNATURE}")
    others = {name: layer.digest for name, layer in bundle.layers.items() if name != files.SIGNATURE}
    check_listing(statement, others, where=where)
    for name, digest in statement.resources.items():
        if others[name] != digest:
            raise IntegrityError("not the file that was signed", where=f"{where}/{name}", expected=str(digest), found=str(others[name]))


def _blob(layout: OciLayout, bundle: BundleFiles, name: str) -> bytes:
    return layout.read_blob(bundle.layers[name], max_bytes=files.max_bytes(name))


def _check_documents(manifest: BundleManifest, documents: dict[str, bytes], where: str) -> None:
    decode_golden(documents[files.GOLDEN], manifest.inputs, manifest.outputs, manifest.golden.cases, where=f"{where}/{files.GOLDEN}")
    Baseline.parse(documents[files.BASELINE], where=f"{where}/{files.BASELINE}")
