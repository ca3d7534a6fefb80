"""From blobs to a bundle directory, by hard links or copies, and the checks that make it fit to run."""

from __future__ import annotations

import shutil
from pathlib import Path

from sealift_runtime import durable
from sealift_runtime.bundle import files, signature
from sealift_runtime.bundle.digest import Digest
from sealift_runtime.bundle.graph import check_bundle_graph
from sealift_runtime.bundle.layout import OciLayout, copy_file, link_or_copy
from sealift_runtime.bundle.manifest import BundleManifest
from sealift_runtime.bundle.release import BundleFiles, read_bundle_files
from sealift_runtime.errors import IntegrityError, StoreError
from sealift_runtime.signing.keys import PublicKey


def check_blobs(layout: OciLayout, bundle: BundleFiles) -> None:
    """Raise `IntegrityError` unless every blob of the bundle is there, whole and unchanged; it names file and blob."""
    names = {layer.digest: name for name, layer in bundle.layers.items()}
    for row in bundle.blobs():
        path = layout.path(row.digest)
        where = f"{names.get(row.digest, 'config')} ({path})"
        if not path.is_file():
            raise IntegrityError("a blob is missing", where=where)
        found = Digest.of_file(path)
        if found != row.digest:
            raise IntegrityError("the content was changed", where=where, expected=str(row.digest), found=str(found))


def materialize(layout: OciLayout, digest: Digest, directory: Path, *, copies: bool = False) -> None:
    """Make ``directory`` the bundle whose OCI manifest has this digest, durably; what stood there is replaced.

    Its files are the blobs themselves, by hard links, or ``copies``, which may be changed and which onnx reads (it refuses links).
    The blobs are not checked here: `check_blobs` before, `check_directory` after.
    """
    bundle = read_bundle_files(layout, digest)
    building = directory.with_name(f".{directory.name}.partial")
    with durable.translate_disk_errors(directory):
        shutil.rmtree(building, ignore_errors=True)
        try:
            for name, layer in bundle.layers.items():
                (copy_file if copies else link_or_copy)(layout.path(layer.digest), building / name)
            durable.sync_tree(building)
            shutil.rmtree(directory, ignore_errors=True)
            building.rename(directory)
        except (OSError, StoreError):
            shutil.rmtree(building, ignore_errors=True)
            raise
        durable.sync_directory(directory.parent)


def check_directory(directory: Path, key: PublicKey | None) -> BundleManifest:
    """Check a bundle directory, signature included if a key is given, and that its graph can only compute; its manifest."""
    if key is not None:
        signature.verify_directory(directory, key)
    else:
        files.list_files(directory)
    check_bundle_graph(directory)
    path = directory / files.MANIFEST
    return BundleManifest.parse(path.read_bytes(), where=str(path))
