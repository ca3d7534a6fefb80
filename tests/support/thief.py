"""What a thief of the signing keys can do: a bundle that the packager would never write, with a good signature, in a good release."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealift_core.bundle import files
from sealift_core.bundle.layout import Descriptor, OciLayout
from sealift_core.bundle.release import FILE_PATH, Release, add_bundle, add_release
from sealift_core.bundle.signature import sign_directory
from sealift_core.schema.documents import canonical_json
from support.hostile_graphs import SHARD, SHARD_BYTES
from support.models import make_bundle, shared_key


def forge_bundle(directory: Path, *, name: str, version: str, session: Mapping[str, Any], graph: bytes | None) -> bytes:
    """A signed bundle directory of `linear` with other fields in its manifest's session, another graph, and a shard; the honest manifest."""
    honest = make_bundle(directory, name=name, version=version).to_bytes()
    (directory / "weights").mkdir()
    (directory / SHARD).write_bytes(bytes(SHARD_BYTES))
    if graph is not None:
        _rewrite(directory / files.GRAPH, graph)
    fields = json.loads(honest)
    fields["session"] |= session
    _rewrite(directory / files.MANIFEST, canonical_json(fields))
    sign_directory(directory, name, shared_key())
    return honest


def forge_release(layout_directory: Path, directory: Path, honest: bytes) -> Release:
    """A release of a forged bundle, listed as the honest manifest would be: our own tools don't read the other one to the end."""
    layout = OciLayout.create(layout_directory)
    forged = {name: path.read_bytes() for name, path in files.list_files(directory).items()}
    _rewrite(directory / files.MANIFEST, honest)
    ref = add_bundle(layout, directory)
    document = json.loads(layout.read(ref.manifest.digest))
    for layer in document["layers"]:
        data = forged[layer["annotations"][FILE_PATH]]
        layer |= {"digest": str(layout.put(data)), "size": len(data)}
    data = canonical_json(document)
    manifest: Descriptor = dataclasses.replace(ref.manifest, digest=layout.put(data), size_bytes=len(data))
    fields = json.loads(honest)
    release = Release(
        name=fields["name"],
        version=fields["version"],
        bundles=(dataclasses.replace(ref, manifest=manifest),),
        public_key=shared_key().public_key,
    )
    add_release(layout, release)
    return release


def _rewrite(path: Path, data: bytes) -> None:
    path.unlink()  # blobs are hard links to it
    path.write_bytes(data)
