"""What is published: init, add, refresh. Channels move in `channels`, releases leave in `withdrawal`, keys change in `ceremony`."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tuf.api.metadata import TargetFile

from sealift_core import durable
from sealift_core.bundle.layout import OciLayout
from sealift_core.bundle.release import read_release
from sealift_core.errors import SealiftError, SignatureError
from sealift_core.messages.channel import release_target
from sealift_core.messages.roles import ROOT, TARGETS
from sealift_core.signing.keys import PublicKey
from sealift_packager.errors import OutputError, RepositoryError
from sealift_packager.keys.passphrase import Passphrases
from sealift_packager.repository.directory import METADATA, Repository
from sealift_packager.repository.drafts import Drafts, add_signatures, check_complete, draft, first_files, first_signed
from sealift_packager.repository.intake import CheckedRelease, import_blobs, missing_blobs
from sealift_packager.repository.keyring import KeyRing, tuf_key
from sealift_packager.repository.metadata import HASHES, RepositoryMetadata
from sealift_packager.repository.new_folder import is_free, new_folder
from sealift_packager.repository.publication import Publication, Published
from sealift_packager.repository.releases import check_not_withdrawn, list_release, published_releases
from sealift_packager.repository.request import Request
from sealift_packager.repository.roles import ROLES, Expiry

__all__ = ["METADATA", "Founding", "Published", "Repository", "add", "bundle_keys", "init", "refresh"]

#: A field of role targets: the fingerprint of the key that signs the repository's bundles. Whoever holds the targets key decides, nobody else.
BUNDLE_KEY = "dev.sealift.bundle-key"
_LOG: Final = logging.getLogger("sealift.repository")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """Whose keys a new repository has, by role.

    ``generate`` is how many fresh ones are made (one where there are no ``others``), ``others`` are public keys of other people, ``thresholds`` how
    many must sign (default 1), and ``plain`` the roles whose fresh keys are never encrypted.
    """

    generate: Mapping[str, int] = dataclasses.field(default_factory=dict)
    others: Mapping[str, Sequence[PublicKey]] = dataclasses.field(default_factory=dict)
    thresholds: Mapping[str, int] = dataclasses.field(default_factory=dict)
    plain: Sequence[str] = ()

    def counts(self) -> dict[str, int]:
        """How many fresh keys each role gets."""
        return {role: self.generate.get(role, 0 if self.others.get(role) else 1) for role in ROLES}


def init(
    directory: Path,
    keys: Path,
    *,
    expiry: Expiry,
    now: datetime.datetime,
    founding: Founding | None = None,
    passphrases: Passphrases | None = None,
    request: Path | None = None,
) -> Repository:
    """Make an empty repository with fresh keys in ``keys``; `OutputError` if either place is taken. If it fails, nothing is left.

    Where root needs signatures of people who aren't here, ``request`` is written for them, and the repository has no root before it is published.
    """
    repository = Repository(directory)
    if (directory / METADATA).exists():
        raise OutputError(
            "there is a repository in this folder already", where=str(directory), advice="Its keys stay as they are; nothing was changed."
        )
    if not is_free(directory):
        raise OutputError("the folder for the repository is not empty", where=str(directory), advice="Choose a new or empty folder.")
    founding = founding or Founding()
    ring = KeyRing.create(keys, repository=directory, passphrases=passphrases).with_fresh(founding.counts())
    try:
        drafts, files = _first(ring, founding, expiry, now, incomplete=request is not None)
        ring.save(plain=founding.plain)
        with new_folder(directory, last=METADATA) as building:
            _write_first(building, files)
            if request is not None:
                Request.of(None, {ROOT: drafts[ROOT]}, {}).write(request)
    except SealiftError:
        ring.remove()
        raise
    _LOG.info("Made the repository %s; its fresh keys are in %s", directory, keys)
    return repository


def _first(ring: KeyRing, founding: Founding, expiry: Expiry, now: datetime.datetime, *, incomplete: bool) -> tuple[Drafts, dict[str, bytes]]:
    """The first metadata of every role; with ``incomplete`` root's may lack signatures."""
    keys = {
        role: [tuf_key(key.public_key) for key in ring.fresh.get(role, ())] + [tuf_key(key) for key in founding.others.get(role, ())]
        for role in ROLES
    }
    drafts = draft(first_signed(keys, founding.thresholds), expiry, now)
    add_signatures(None, drafts, ring)
    check_complete(None, {role: metadata for role, metadata in drafts.items() if role != ROOT or not incomplete})
    return drafts, first_files(drafts, ring, expiry, now)


def _write_first(building: Path, files: Mapping[str, bytes]) -> None:
    OciLayout.create(building)
    for name, data in files.items():
        durable.write_bytes(building / METADATA / name, data)


def add(
    repository: Repository,
    checked: CheckedRelease,
    ring: KeyRing,
    *,
    expiry: Expiry,
    now: datetime.datetime,
    new_key: bool = False,
    request: Path | None = None,
    dry_run: bool = False,
) -> Published:
    """Publish a release; the same release again is no change, other bytes under the same version are a `RepositoryError`, and so is a withdrawn one.

    A repository has one bundle key, that of its first release: another one is a `SignatureError`, unless ``new_key`` makes it the key from now on.
    With ``dry_run`` all of it is prepared and checked, and nothing is written.
    """
    release, descriptor = checked.release, checked.descriptor
    target = release_target(release.name, release.version)
    with repository.locked(reading=dry_run):
        current = repository.read_metadata()
        check_not_withdrawn(current, release.name, release.version)
        published = current.targets.signed.targets.get(target)
        if published is not None and published.hashes["sha256"] != descriptor.digest.hex:
            raise RepositoryError(
                "this version is published with other content",
                where=f"{release.name} {release.version}",
                expected=f"sha256:{published.hashes['sha256']}",
                found=str(descriptor.digest),
                advice="A published version never changes. Pack the new content with a new version.",
            )
        if published is not None:
            new_blobs = _take_in(repository, checked, dry_run=dry_run)
            _LOG.info("%s %s is published already, with the same bytes", release.name, release.version)
            return Published(changed=False, new_blobs=new_blobs, timestamp_version=current.timestamp.signed.version, dry_run=dry_run)
        targets = copy.deepcopy(current.targets.signed)
        targets.unrecognized_fields[BUNDLE_KEY] = _bundle_key(repository, current, checked, new_key=new_key)
        targets.targets[target] = TargetFile.from_data(target, checked.layout.read(descriptor.digest), HASHES)
        publication = Publication.prepare(current, {TARGETS: targets}, ring, expiry, now, request=request)
        new_blobs = _take_in(repository, checked, dry_run=dry_run)
        _LOG.info("%s %s is complete and its signature is valid; new files in the repository: %d", release.name, release.version, new_blobs)
        return publication.write(repository, new_blobs=new_blobs, dry_run=dry_run)


def refresh(
    repository: Repository,
    ring: KeyRing,
    roles: Sequence[str] = (),
    *,
    expiry: Expiry,
    now: datetime.datetime,
    request: Path | None = None,
    dry_run: bool = False,
) -> Published:
    """Sign snapshot and timestamp anew with later expiries, and ``roles`` (root, targets, channels) beside them."""
    with repository.locked(reading=dry_run):
        current = repository.read_metadata()
        says = current.roles()
        changed = {role: says[role] for role in dict.fromkeys(roles)}
        return Publication.prepare(current, changed, ring, expiry, now, request=request, anew=True).write(repository, dry_run=dry_run)


def bundle_keys(repository: Repository, current: RepositoryMetadata) -> tuple[str, ...]:
    """The fingerprint of the key that signs the repository's bundles; those of its releases where role targets doesn't say; none without any."""
    pinned = current.targets.signed.unrecognized_fields.get(BUNDLE_KEY)
    if pinned is not None:
        return (str(pinned),)
    releases = [read_release(repository.layout, digest) for digest in published_releases(current).values() if repository.layout.has(digest)]
    return tuple(dict.fromkeys(release.public_key.fingerprint for release in releases if release.public_key))


def _bundle_key(repository: Repository, current: RepositoryMetadata, checked: CheckedRelease, *, new_key: bool) -> str:
    """The fingerprint that is remembered once the release is in."""
    assert checked.release.public_key is not None  # `check_release` wants one
    fingerprint, remembered = checked.release.public_key.fingerprint, bundle_keys(repository, current)
    if remembered and fingerprint not in remembered and not new_key:
        raise SignatureError(
            "the release was signed with another key than this repository's",
            where=f"{checked.release.name} {checked.release.version}",
            expected=", ".join(f"{key[:16]}…" for key in remembered),
            found=f"{fingerprint[:16]}…",
            advice="If you replaced the key on purpose, pass --new-key. Releases signed with the old key are refused from then on.",
        )
    return fingerprint


def _take_in(repository: Repository, checked: CheckedRelease, *, dry_run: bool) -> int:
    if dry_run:
        return len(missing_blobs(repository.layout, checked.blobs))
    new_blobs = import_blobs(checked.layout, repository.layout, checked.blobs)
    list_release(repository.layout, checked.release.name, checked.release.version, checked.descriptor)
    return new_blobs
