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
    """A reference to content. Source: OCI image-spec 1.1, ``descriptor.md``.

    Attributes:
        media_type: What the content is.
        digest: Its sha256.
        size_bytes: Its size.
        artifact_type: What kind of artifact a manifest is; empty for none.
        annotations: What is said about it, by name.
        platform: Its ``os`` and ``architecture``; empty for none.
    """

    media_type: str
    digest: Digest
    size_bytes: int
    artifact_type: str = ""
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    platform: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def parse(cls, document: Document) -> Descriptor:
        """Read a descriptor.

        Args:
            document: The table of an OCI document.

        Returns:
            The descriptor; fields that Sealift has no use for are dropped.

        Raises:
            DocumentError: If a field is missing, of another type, or out of range.
            LimitError: If a text is too long.
        """
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
        """Write the descriptor as OCI documents do; what is empty is left out."""
        fields: dict[str, Json] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size_bytes}
        optional: dict[str, Json] = {"artifactType": self.artifact_type, "annotations": dict(self.annotations), "platform": dict(self.platform)}
        return fields | {key: value for key, value in optional.items() if value}


def parse_oci_document(data: bytes, *, where: str, media_type: str) -> Document:
    """Read an OCI manifest or index. Source: OCI image-spec 1.1, ``manifest.md`` and ``image-index.md``.

    Args:
        data: Its bytes.
        where: What errors call it.
        media_type: The ``mediaType`` that it must have, if it states one.

    Returns:
        The document, to read further fields of.

    Raises:
        DocumentError: If it isn't JSON, of another schema version, or of another media type.
        LimitError: If it is larger than its bound.
    """
    document = Document.parse_json(data, where=where, max_bytes=LIMITS.oci_document_bytes)
    document.integer("schemaVersion", minimum=2, maximum=2)
    document.text("mediaType", media_type, one_of=(media_type,))
    return document


@dataclasses.dataclass(frozen=True, slots=True)
class OciLayout:
    """An OCI image layout.

    Attributes:
        directory: Where it is. This may be a link itself; nothing in it may be one.
    """

    directory: Path

    @classmethod
    def create(cls, directory: Path, *, mode: int = durable.PUBLIC_MODE) -> OciLayout:
        """Make an empty layout, or take the one that is there.

        Args:
            directory: The folder; it and the folders above it are made.
            mode: The permissions of its two files.

        Returns:
            The layout.

        Raises:
            StoreError: If its files can't be written; `DiskFullError` if there is no room.
            OSError: If its folders can't be made.
        """
        layout = cls(directory)
        layout.blobs.mkdir(parents=True, exist_ok=True)
        if not (directory / "oci-layout").exists():
            durable.write_bytes(directory / "oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}), mode=mode)
        if not (directory / "index.json").exists():
            layout.write_index([], mode=mode)
        return layout

    @classmethod
    def open(cls, directory: Path) -> OciLayout:
        """Take an existing layout.

        Args:
            directory: The folder.

        Returns:
            The layout.

        Raises:
            IntegrityError: If ``directory`` has no file ``oci-layout``.
        """
        if not beneath.is_file(directory, "oci-layout"):
            raise IntegrityError("not an OCI image layout", where=str(directory), expected="a directory with a file oci-layout")
        return cls(directory)

    @property
    def blobs(self) -> Path:
        """The folder of all sha256 blobs."""
        return self.directory / "blobs" / "sha256"

    def path(self, digest: Digest) -> Path:
        """Locate a blob.

        Args:
            digest: The blob's digest.

        Returns:
            Where it is, or would be.
        """
        return self.blobs / digest.hex

    def has(self, digest: Digest) -> bool:
        """Tell whether a blob is there; its content isn't checked.

        Args:
            digest: The blob's digest.

        Returns:
            True for a regular file, by no link.
        """
        return beneath.is_file(self.directory, *_place(digest))

    def open_blob(self, digest: Digest, *, where: str | None = None) -> io.BufferedReader:
        """Open a blob to read; its content isn't checked.

        Args:
            digest: The blob's digest.
            where: What errors call the blob; its path by default.

        Returns:
            The open file; the caller closes it.

        Raises:
            IntegrityError: If the blob is missing, a link, or no regular file.
            OSError: If it can't be opened for another reason.
        """
        try:
            return beneath.open_file(self.directory, *_place(digest))
        except FileNotFoundError as error:
            raise IntegrityError("a blob is missing", where=where or str(self.path(digest))) from error

    def read(self, digest: Digest, *, max_bytes: int = LIMITS.oci_document_bytes) -> bytes:
        """Read a small blob and check it against its digest.

        Args:
            digest: The blob's digest.
            max_bytes: The most bytes that it may have.

        Returns:
            Its content.

        Raises:
            IntegrityError: If the blob is missing, no regular file, or was changed.
            LimitError: If it is larger, which is noticed before it is read.
            OSError: If it can't be read for another reason.
        """
        where = str(self.path(digest))
        with self.open_blob(digest) as file:
            return digest.check(beneath.read_open(file, max_bytes, where=where), where=where)

    def read_blob(self, descriptor: Descriptor, *, max_bytes: int = LIMITS.oci_document_bytes) -> bytes:
        """Read a small blob and check it against its descriptor: the sizes before anything is read, then the digest.

        Args:
            descriptor: The descriptor.
            max_bytes: The most bytes that the blob may have.

        Returns:
            Its content.

        Raises:
            IntegrityError: If the blob is missing, no regular file, of another size, or was changed.
            LimitError: If the descriptor says that it is larger than ``max_bytes``.
            OSError: If it can't be read for another reason.
        """
        where = str(self.path(descriptor.digest))
        if descriptor.size_bytes > max_bytes:
            raise LimitError("too large", where=where, expected=f"at most {max_bytes} bytes", found=f"{descriptor.size_bytes} bytes")
        with self.open_blob(descriptor.digest) as file:
            return descriptor.digest.check(beneath.read_exactly(file, descriptor.size_bytes, where=where), where=where)

    def check(self, descriptor: Descriptor, *, where: str | None = None) -> None:
        """Check a blob of any size against its descriptor: its size, which is compared first, and its digest.

        Args:
            descriptor: The descriptor.
            where: What errors call the blob; its path by default.

        Raises:
            IntegrityError: If the blob is missing, no regular file, of another size, or was changed.
            OSError: If it can't be read for another reason.
        """
        name = where or str(self.path(descriptor.digest))
        with self.open_blob(descriptor.digest, where=where) as file:
            actual = beneath.hash_open(file, descriptor.size_bytes, where=name)
        if actual != descriptor.digest.hex:
            raise IntegrityError("the content was changed", where=name, expected=str(descriptor.digest), found=f"sha256:{actual}")

    def copy_blob(self, descriptor: Descriptor, target: Path) -> None:
        """Copy a blob to a file, durably; the copy is checked against the descriptor before it gets its name.

        Args:
            descriptor: The blob's descriptor.
            target: The file to make or replace.

        Raises:
            IntegrityError: If the blob is missing, no regular file, of another size, or was changed.
            StoreError: If ``target`` can't be written; `DiskFullError` if there is no room.
        """
        with self.open_blob(descriptor.digest) as file:
            durable.copy(file, target, size_bytes=descriptor.size_bytes, sha256=descriptor.digest.hex, where=str(self.path(descriptor.digest)))

    def put(self, data: bytes) -> Digest:
        """Store bytes as a blob, durably.

        Args:
            data: The content.

        Returns:
            Its digest.

        Raises:
            StoreError: If it can't be written; `DiskFullError` if there is no room.
        """
        digest = Digest.of(data)
        if not self.has(digest):
            durable.write_bytes(self.path(digest), data)
        return digest

    def put_file(self, source: Path) -> tuple[Digest, int]:
        """Store a file as a blob, durably.

        One of our own that has no other name becomes the blob by a hard link, readable by everybody and writable by us alone. Any other is
        copied, because whoever has its other name, or owns it, could edit the blob.

        Args:
            source: The file; a link isn't followed.

        Returns:
            The blob's digest, and its size in bytes.

        Raises:
            IntegrityError: If ``source`` is no regular file, or changes while it is copied.
            StoreError: If the blob can't be written; `DiskFullError` if there is no room.
            OSError: If ``source`` can't be read.
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
        """Read ``index.json``.

        Returns:
            What it lists.

        Raises:
            IntegrityError: If it is missing, or no regular file.
            DocumentError: If it isn't an OCI image index.
            LimitError: If it is larger than its bound, or lists more than 100,000.
            OSError: If it can't be read for another reason.
        """
        path = self.directory / "index.json"
        try:
            with beneath.open_file(self.directory, path.name) as file:
                data = beneath.read_open(file, LIMITS.oci_document_bytes, where=str(path))
        except FileNotFoundError as error:
            raise IntegrityError("a file of the layout is missing", where=str(path)) from error
        document = parse_oci_document(data, where=str(path), media_type=INDEX_TYPE)
        return [Descriptor.parse(manifest) for manifest in document.documents("manifests", max_items=100_000)]

    def write_index(self, descriptors: list[Descriptor], *, mode: int = durable.PUBLIC_MODE) -> None:
        """Replace ``index.json``, durably.

        Args:
            descriptors: What it is to list, in order.
            mode: The file's permissions.

        Raises:
            StoreError: If it can't be written; `DiskFullError` if there is no room.
        """
        fields: dict[str, Any] = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [descriptor.json() for descriptor in descriptors]}
        durable.write_bytes(self.directory / "index.json", canonical_json(fields), mode=mode)


def _place(digest: Digest) -> tuple[str, str, str]:
    return ("blobs", "sha256", digest.hex)


def _make_public(file: io.BufferedReader) -> bool:
    """Whether an open file is ours alone; then it gets the mode of what is published."""
    status = os.fstat(file.fileno())
    ours = status.st_nlink == 1 and status.st_uid == os.geteuid()
    if ours:
        durable.permit(file.fileno(), durable.PUBLIC_MODE)
    return ours


def link(source: Path, target: Path) -> bool:
    """Make a hard link. Only for files that both belong to the caller: whoever edits one edits the other.

    Args:
        source: The file; a link isn't followed.
        target: The new name; its folders are made. A file that is there is left alone.

    Returns:
        Whether something is there under the new name; False where links can't be made.

    Raises:
        OSError: If the folders can't be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        return True
    except OSError:
        return False
    return True
