"""From blobs to a bundle directory, by hard links or copies."""

from __future__ import annotations

import shutil
from pathlib import Path

from sealift_core import beneath, durable
from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import OciLayout, link
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.release import read_bundle_files
from sealift_core.errors import SealiftError


def materialize(layout: OciLayout, digest: Digest, directory: Path, *, copies: bool = False) -> None:
    """Make ``directory`` the bundle whose OCI manifest has this digest, durably; what stood there is replaced.

    Its files are the blobs themselves, by hard links, or ``copies``, which may be changed and which onnx reads (it refuses links).
    Copies are checked as they are made. Links are not: `sealift_core.verify.check` checks them.
    """
    bundle = read_bundle_files(layout, digest)
    building = directory.with_name(f".{directory.name}.partial")
    with durable.translate_disk_errors(directory):
        shutil.rmtree(building, ignore_errors=True)
        try:
            for name, layer in bundle.layers.items():
                if copies or not link(layout.path(layer.digest), building / name):
                    layout.copy_blob(layer, building / name)
            durable.sync_tree(building)
            shutil.rmtree(directory, ignore_errors=True)
            building.rename(directory)
        except (OSError, SealiftError):
            shutil.rmtree(building, ignore_errors=True)
            raise
        durable.sync_directory(directory.parent)


def read_manifest(directory: Path) -> BundleManifest:
    """The manifest of a bundle directory, bounded."""
    return BundleManifest.parse(read_file(directory, files.MANIFEST), where=str(directory / files.MANIFEST))


def read_file(directory: Path, name: str) -> bytes:
    """A document of a bundle directory, of no more bytes than one of its name may have."""
    with beneath.open_file(directory, *name.split("/")) as file:
        return beneath.read_open(file, files.max_bytes(name), where=str(directory / name))
