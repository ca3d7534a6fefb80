"""What `pack` wrote, opened again: a release (an OCI layout) or one bundle (a directory); inspected, verified, unpacked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

from sealift_core import beneath
from sealift_core.bundle import files
from sealift_core.bundle.layout import OciLayout
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.release import BundleFiles, BundleRef, Release, only_release, read_listed_bundle
from sealift_core.signing.keys import PublicKey
from sealift_core.verify.check import DirectoryBundle, check_bundle, check_release_bundle, check_signer
from sealift_core.verify.materialize import materialize
from sealift_packager.errors import OutputError, PackagerError

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
    raise PackagerError("not the output of a sealift command", where=str(path), expected=_EXPECTED, found=found)


def view(path: Path, profile: str | None = None) -> list[BundleView]:
    """Every bundle of a release or the one in a directory; those of one profile if it is given."""
    if not is_release(path):
        checked = check_bundle(DirectoryBundle(directory=path), key=None, documents=False)
        return [BundleView(manifest=checked.manifest, sizes=dict(checked.sizes), signed=files.SIGNATURE in checked.sizes, digest=None)]
    layout, release, refs = _open(path, profile)
    return [_view_ref(layout, ref, f"{release.name} {release.version}") for ref in refs]


def verify(path: Path, key: PublicKey, profile: str | None = None) -> list[BundleView]:
    """Check a bundle directory, or every bundle of a release, by the rules of `check_bundle`; a release names ``key`` or none.

    Raises `IntegrityError`, `SignatureError`, `LimitError` or `DocumentError` naming what fails.
    """
    if not is_release(path):
        checked = check_bundle(DirectoryBundle(directory=path), key=key)
        return [BundleView(manifest=checked.manifest, sizes=dict(checked.sizes), signed=True, digest=None)]
    layout, release, refs = _open(path, profile)
    check_signer(release, key, where=str(path))
    for ref in refs:
        check_release_bundle(layout, release, ref, key=key)
    return [_view_ref(layout, ref, str(path)) for ref in refs]


def unpack(path: Path, profile: str, target: Path) -> BundleManifest:
    """Make ``target`` the bundle directory of one profile, of copies that are checked as they are made; `OutputError` if something stands there."""
    if not is_release(path):
        raise PackagerError("not a release", where=str(path), expected="a directory with oci-layout", found="a bundle directory, already unpacked")
    if target.exists() or target.is_symlink():
        raise OutputError("there is a file or folder at the output path already", where=str(target), advice="Choose another directory.")
    layout, _, refs = _open(path, profile)
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    materialize(layout, refs[0].manifest.digest, target.absolute(), copies=True)
    return check_bundle(DirectoryBundle(directory=target), key=None, documents=False).manifest


def _open(path: Path, profile: str | None) -> tuple[OciLayout, Release, list[BundleRef]]:
    layout = OciLayout.open(path)
    release, _ = only_release(layout)
    return layout, release, [release.bundle(profile)] if profile else list(release.bundles)


def _view_ref(layout: OciLayout, ref: BundleRef, where: str) -> BundleView:
    bundle = read_listed_bundle(layout, ref)
    manifest = BundleManifest.parse(_blob(layout, bundle, files.MANIFEST), where=f"{where}: {ref.profile}/{files.MANIFEST}")
    sizes = {name: layer.size_bytes for name, layer in bundle.layers.items()}
    return BundleView(manifest=manifest, sizes=sizes, signed=files.SIGNATURE in sizes, digest=str(ref.manifest.digest))


def _blob(layout: OciLayout, bundle: BundleFiles, name: str) -> bytes:
    return layout.read_blob(bundle.layers[name], max_bytes=files.max_bytes(name))
