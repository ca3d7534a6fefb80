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
    """Make a directory of a bundle's blobs, durably; what stood there is replaced.

    Args:
        layout: Where the blobs are.
        digest: The digest of the bundle's OCI manifest.
        directory: The folder to make.
        copies: Make copies, which may be changed and which the onnx library reads (it refuses hard links). They are checked as they are made. By
            default the files are the blobs themselves, by hard links, and unchecked: `sealift_core.verify.check` checks them.

    Raises:
        IntegrityError: If a blob that is read or copied is missing or was changed, or the manifest isn't a bundle's.
        DocumentError: If the OCI manifest can't be read.
        LimitError: If the OCI manifest is larger than its bound, or lists too much.
        StoreError: If the directory can't be written; `DiskFullError` if there is no room. What was half-written is removed.
    """  # noqa: DOC501  (what is raised again is translated)
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
    """Read ``bundle.json`` of a bundle directory, whose signature isn't looked at.

    Args:
        directory: The folder with ``bundle.json``.

    Returns:
        The manifest.

    Raises:
        IntegrityError: If it is no regular file.
        LimitError: If it is larger than its bound.
        DocumentError: If it can't be read; `UnsupportedSchemaError` if it is of another major version.
        OSError: If it can't be opened for another reason, such as that it is missing.
    """
    return BundleManifest.parse(read_file(directory, files.MANIFEST), where=str(directory / files.MANIFEST))


def read_file(directory: Path, name: str) -> bytes:
    """Read a document of a bundle directory.

    Args:
        directory: The bundle's folder.
        name: A file of a bundle (`sealift_core.bundle.files`), which also decides how large it may be.

    Returns:
        The file's content.

    Raises:
        IntegrityError: If it is no regular file.
        LimitError: If it is larger than one of its name may be.
        OSError: If it can't be opened for another reason, such as that it is missing.
    """
    with beneath.open_file(directory, *name.split("/")) as file:
        return beneath.read_open(file, files.max_bytes(name), where=str(directory / name))
