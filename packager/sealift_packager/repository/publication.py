"""One publication: drafts, signed as far as the keys that are here go, become files, or a request for others to sign."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tuf.api.metadata import Signed

from sealift_core.terminal.records import facts
from sealift_packager.repository import metadata
from sealift_packager.repository.directory import Repository
from sealift_packager.repository.drafts import Drafts, add_signatures, check_complete, draft, publishing_files
from sealift_packager.repository.keyring import KeyRing
from sealift_packager.repository.metadata import RepositoryMetadata
from sealift_packager.repository.releases import unlist_releases, withdrawn_releases
from sealift_packager.repository.request import Request
from sealift_packager.repository.roles import Expiry

_LOG: Final = logging.getLogger("sealift.repository")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a publication did; with ``changed`` false, all was so already and nothing was written, or ``request`` was written instead.

    With ``dry_run`` nothing was written at all: it is what would have been done. ``files`` are the names of the metadata.
    """

    changed: bool
    new_blobs: int
    timestamp_version: int
    request: Path | None = None
    files: tuple[str, ...] = ()
    dry_run: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What is about to be written: ``files``, proven to hold together, or a ``request`` for others to sign.

    ``documents`` are channels', by target.
    """

    current: RepositoryMetadata
    files: Mapping[str, bytes]
    documents: Mapping[str, bytes]
    request: tuple[Path, Request] | None = None

    @classmethod
    def prepare(
        cls,
        current: RepositoryMetadata,
        changed: Mapping[str, Signed],
        ring: KeyRing,
        expiry: Expiry,
        now: datetime.datetime,
        *,
        request: Path | None = None,
        documents: Mapping[str, bytes] = MappingProxyType({}),
        anew: bool = False,
    ) -> Publication:
        """Draft what roles are to say and sign it with the keys that are here; `RepositoryError` below a threshold, unless it is a request."""
        drafts = draft(changed, expiry, now)
        add_signatures(current, drafts, ring)
        if request is not None:
            return cls(current=current, files={}, documents=documents, request=(request, Request.of(current, drafts, documents)))
        check_complete(current, drafts, ring)
        return cls.complete(current, drafts, ring, expiry, now, documents=documents, anew=anew)

    @classmethod
    def complete(
        cls,
        current: RepositoryMetadata,
        drafts: Drafts,
        ring: KeyRing,
        expiry: Expiry,
        now: datetime.datetime,
        *,
        documents: Mapping[str, bytes] = MappingProxyType({}),
        anew: bool = False,
    ) -> Publication:
        """With drafts that have their signatures."""
        return cls(current=current, files=publishing_files(current, drafts, ring, expiry, now, anew=anew), documents=documents)

    def write(self, repository: Repository, *, new_blobs: int = 0, dry_run: bool = False) -> Published:
        """Write all of it, once it is proven to hold together with what is there; with ``dry_run`` only prove it."""
        if self.request is not None:
            return self._write_request(repository, *self.request, new_blobs=new_blobs, dry_run=dry_run)
        following = metadata.verify(lambda name: self.files[name] if name in self.files else repository.read_metadata_file(name))
        if not dry_run:
            self._put_documents(repository)
            repository.write_metadata(self.files)
            unlist_releases(repository.layout, withdrawn_releases(following))
            names = ", ".join(sorted(self.files))
            _LOG.info("Published %s: wrote %s, signed with the keys of their roles", repository.directory, names, extra=facts(files=names))
        version = following.timestamp.signed.version
        return Published(changed=True, new_blobs=new_blobs, timestamp_version=version, files=tuple(sorted(self.files)), dry_run=dry_run)

    def _write_request(self, repository: Repository, path: Path, request: Request, *, new_blobs: int, dry_run: bool) -> Published:
        if not dry_run:
            self._put_documents(repository)
            request.write(path)
            _LOG.info("Wrote a request for signatures to %s; nothing is published yet", path)
        version = self.current.timestamp.signed.version
        return Published(changed=False, new_blobs=new_blobs, timestamp_version=version, request=path, dry_run=dry_run)

    def _put_documents(self, repository: Repository) -> None:
        for data in self.documents.values():
            repository.layout.put(data)
