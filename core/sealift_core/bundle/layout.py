"""OCI image layout on disk: ``oci-layout``, ``index.json``, ``blobs/sha256/…``.

Source: https://github.com/opencontainers/image-spec (v1.1). The packager's output, a repository, a device's store and
a medium are all this.
"""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sealift_core import beneath, durable
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.limits import LIMITS
from sealift_core.errors import IntegrityError, LimitError
from sealift_core.schema.documents import Document, Json, canonical_json

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
    """An OCI image layout at ``directory``, which may be a link itself; nothing in it may be one."""

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
        if not beneath.is_file(directory, "oci-layout"):
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
        return beneath.is_file(self.directory, *_place(digest))

    def open_blob(self, digest: Digest, *, where: str | None = None) -> io.BufferedReader:
        """A blob, to read; `IntegrityError` if it is missing, a link, or no regular file."""
        try:
            return beneath.open_file(self.directory, *_place(digest))
        except FileNotFoundError as error:
            raise IntegrityError("a blob is missing", where=where or str(self.path(digest))) from error

    def read(self, digest: Digest, *, max_bytes: int = LIMITS.oci_document_bytes) -> bytes:
        """A small blob's content, checked against its digest; `LimitError` for a larger one, before it is read."""
        where = str(self.path(digest))
        with self.open_blob(digest) as file:
            return digest.check(beneath.read_open(file, max_bytes, where=where), where=where)

    def read_blob(self, row: Descriptor, *, max_bytes: int = LIMITS.oci_document_bytes) -> bytes:
        """A small blob's content, checked against its descriptor: the sizes before anything is read, then the digest."""
        where = str(self.path(row.digest))
        if row.size_bytes > max_bytes:
            raise LimitError("too large", where=where, expected=f"at most {max_bytes} bytes", found=f"{row.size_bytes} bytes")
        with self.open_blob(row.digest) as file:
            return row.digest.check(beneath.read_exactly(file, row.size_bytes, where=where), where=where)

    def check(self, row: Descriptor, *, where: str | None = None) -> None:
        """Raise `IntegrityError` unless a blob is there with its size, which is compared first, and its digest."""
        name = where or str(self.path(row.digest))
        with self.open_blob(row.digest, where=where) as file:
            found = beneath.hash_open(file, row.size_bytes, where=name)
        if found != row.digest.hex:
            raise IntegrityError("the content was changed", where=name, expected=str(row.digest), found=f"sha256:{found}")

    def copy_blob(self, row: Descriptor, target: Path) -> None:
        """Make ``target`` a copy of a blob, durably; the copy is checked against the descriptor before it gets its name."""
        with self.open_blob(row.digest) as file:
            durable.copy(file, target, size_bytes=row.size_bytes, sha256=row.digest.hex, where=str(self.path(row.digest)))

    def put(self, data: bytes) -> Digest:
        """Store bytes as a blob."""
        digest = Digest.of(data)
        if not self.has(digest):
            durable.write_bytes(self.path(digest), data)
        return digest

    def put_file(self, source: Path) -> tuple[Digest, int]:
        """Store a file as a blob; its digest and size in bytes.

        One of our own that has no other name becomes the blob by a hard link, readable by everybody and writable by us alone. Any other is
        copied, because whoever has its other name, or owns it, could edit the blob.
        """
        with beneath.open_file(source.parent, source.name) as file:
            size = beneath.size_bytes(file)
            digest = Digest(beneath.hash_open(file, size, where=str(source)))
            if not self.has(digest):
                target = self.path(digest)
                if not (_make_public(file) and link(source, target)):
                    file.seek(0)
                    durable.copy(file, target, size_bytes=size, sha256=digest.hex, where=str(source))
                durable.sync_directory(self.blobs)
        return digest, size

    def index(self) -> list[Descriptor]:
        """What ``index.json`` lists."""
        path = self.directory / "index.json"
        try:
            with beneath.open_file(self.directory, path.name) as file:
                data = beneath.read_open(file, LIMITS.oci_document_bytes, where=str(path))
        except FileNotFoundError as error:
            raise IntegrityError("a file of the layout is missing", where=str(path)) from error
        document = parse_oci_document(data, where=str(path), media_type=INDEX_TYPE)
        return [Descriptor.parse(row) for row in document.documents("manifests", max_items=100_000)]

    def write_index(self, descriptors: list[Descriptor]) -> None:
        """Replace ``index.json``."""
        fields: dict[str, Any] = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [row.json() for row in descriptors]}
        durable.write_bytes(self.directory / "index.json", canonical_json(fields))


def _place(digest: Digest) -> tuple[str, str, str]:
    return ("blobs", "sha256", digest.hex)


def _make_public(file: io.BufferedReader) -> bool:
    """Whether an open file is ours alone; then it gets the mode of what is published."""
    status = os.fstat(file.fileno())
    ours = status.st_nlink == 1 and status.st_uid == os.geteuid()
    if ours:
        os.fchmod(file.fileno(), durable.PUBLIC_MODE)
    return ours


def link(source: Path, target: Path) -> bool:
    """Make ``target`` the same file as ``source``; False where links can't be made.

    Only for files that both belong to the caller: whoever edits one edits the other.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        return True
    except OSError:
        return False
    return True
