"""OCI image layout on disk: ``oci-layout``, ``index.json``, ``blobs/sha256/…``.

Source: https://github.com/opencontainers/image-spec (v1.1). The packager's output, a repository, a device's store and
a medium are all this.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sealift_runtime import durable
from sealift_runtime.bundle.digest import Digest
from sealift_runtime.bundle.limits import LIMITS
from sealift_runtime.documents import Document, Json, canonical_json
from sealift_runtime.errors import IntegrityError, LimitError

INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
REF_NAME: Final = "org.opencontainers.image.ref.name"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A reference to content: media type, digest, size, and what is said about it."""

    media_type: str
    digest: Digest
    size_bytes: int
    artifact_type: str = ""
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    platform: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def parse(cls, document: Document) -> Descriptor:
        """Read a descriptor."""
        annotations, platform = document.document("annotations", {}), document.document("platform", {})
        return cls(
            media_type=document.text("mediaType", max_characters=200),
            digest=Digest.parse(document.text("digest", max_characters=100), where=document.where),
            size_bytes=document.integer("size", minimum=0, maximum=LIMITS.bundle_bytes),
            artifact_type=document.text("artifactType", "", max_characters=200),
            annotations={key: annotations.text(key) for key in annotations.names()},
            platform={key: platform.text(key) for key in ("os", "architecture") if platform.has(key)},
        )

    def json(self) -> dict[str, Json]:
        """The descriptor as OCI documents write it."""
        fields: dict[str, Json] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size_bytes}
        optional: dict[str, Json] = {"artifactType": self.artifact_type, "annotations": dict(self.annotations), "platform": dict(self.platform)}
        return fields | {key: value for key, value in optional.items() if value}


def parse_oci_document(data: bytes, *, where: str, media_type: str) -> Document:
    """An OCI manifest or index as a document, its own ``mediaType`` checked."""
    document = Document.parse_json(data, where=where, max_bytes=LIMITS.oci_document_bytes)
    document.integer("schemaVersion", minimum=2, maximum=2)
    document.text("mediaType", media_type, one_of=(media_type,))
    return document


@dataclasses.dataclass(frozen=True, slots=True)
class OciLayout:
    """An OCI image layout at ``directory``."""

    directory: Path

    @classmethod
    def create(cls, directory: Path) -> OciLayout:
        """Make an empty layout, or take the one that is there."""
        layout = cls(directory)
        layout.blobs.mkdir(parents=True, exist_ok=True)
        if not (directory / "oci-layout").exists():
            durable.write_bytes(directory / "oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}))
        if not (directory / "index.json").exists():
            layout.write_index([])
        return layout

    @classmethod
    def open(cls, directory: Path) -> OciLayout:
        """Take an existing layout; `IntegrityError` if ``directory`` isn't one."""
        if not (directory / "oci-layout").is_file():
            raise IntegrityError("not an OCI image layout", where=str(directory), expected="a directory with a file oci-layout")
        return cls(directory)

    @property
    def blobs(self) -> Path:
        """The folder of all sha256 blobs."""
        return self.directory / "blobs" / "sha256"

    def path(self, digest: Digest) -> Path:
        """Where a blob is, or would be."""
        return self.blobs / digest.hex

    def has(self, digest: Digest) -> bool:
        """Whether a blob is there (its content is not checked)."""
        return self.path(digest).is_file()

    def read(self, digest: Digest, *, max_bytes: int = LIMITS.oci_document_bytes) -> bytes:
        """A small blob's content, checked against its digest."""
        path = self.path(digest)
        try:
            with path.open("rb") as file:
                data = file.read(max_bytes + 1)
        except FileNotFoundError as error:
            raise IntegrityError("a blob is missing", where=str(path)) from error
        if len(data) > max_bytes:
            raise LimitError("too large", where=str(path), expected=f"at most {max_bytes} bytes")
        return digest.check(data, where=str(path))

    def put(self, data: bytes) -> Digest:
        """Store bytes as a blob."""
        digest = Digest.of(data)
        if not self.has(digest):
            durable.write_bytes(self.path(digest), data)
        return digest

    def put_file(self, source: Path) -> tuple[Digest, int]:
        """Store a file as a blob, by hard link where that works; its digest and size in bytes."""
        digest, size = Digest.of_file(source), source.stat().st_size
        if not self.has(digest):
            link_or_copy(source, self.path(digest))
            durable.sync_directory(self.blobs)
        return digest, size

    def index(self) -> list[Descriptor]:
        """What ``index.json`` lists."""
        path = self.directory / "index.json"
        if not path.is_file():
            raise IntegrityError("a file of the layout is missing", where=str(path))
        document = parse_oci_document(path.read_bytes(), where=str(path), media_type=INDEX_TYPE)
        return [Descriptor.parse(row) for row in document.documents("manifests", max_items=100_000)]

    def write_index(self, descriptors: list[Descriptor]) -> None:
        """Replace ``index.json``."""
        fields: dict[str, Any] = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [row.json() for row in descriptors]}
        durable.write_bytes(self.directory / "index.json", canonical_json(fields))


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source`` by a hard link, or a durable copy where links can't be made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        copy_file(source, target)


def copy_file(source: Path, target: Path) -> None:
    """Make ``target`` a durable copy of ``source``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as reader, durable.replacing(target) as writer:
        shutil.copyfileobj(reader, writer, 1024 * 1024)
