"""Keys that come and go, and what several people sign: rotate, revoke, and publish what was signed.

A rotation is one new root (for the keys of channels, new targets), signed as the old and the new one say, with whatever has to be signed anew because
its signatures no longer count. Devices follow it by themselves, however many versions they missed.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

from sealift_core.bundle.digest import Digest
from sealift_core.clock import format_time
from sealift_core.messages.channel import Channel, release_target
from sealift_core.messages.roles import CHANNELS, ROOT, TARGETS
from sealift_core.signing.keys import PublicKey
from sealift_packager.errors import RepositoryError
from sealift_packager.repository import metadata
from sealift_packager.repository.directory import METADATA, Repository, target_blob
from sealift_packager.repository.drafts import Drafts, check_complete, prune, root_files
from sealift_packager.repository.keyring import KeyRing, tuf_key
from sealift_packager.repository.metadata import RepositoryMetadata
from sealift_packager.repository.publication import Publication, Published
from sealift_packager.repository.request import Request, merge
from sealift_packager.repository.roles import Expiry
from sealift_packager.repository.rotation import KeyChange, find_key, keys_of, roles_with, rotated
from sealift_packager.repository.signing_clock import check_drafted


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What became of a rotation: the new keys' files, each touched role's keys and threshold, and the publication."""

    published: Published
    new_keys: tuple[Path, ...]
    roles: Mapping[str, tuple[tuple[str, ...], int]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What is wanted for one role; with nothing set, a role's one key is replaced by a fresh one. ``remove`` are ids, or their beginnings."""

    role: str
    generate: int = 0
    add: Sequence[PublicKey] = ()
    remove: Sequence[str] = ()
    threshold: int | None = None

    @property
    def is_replacement(self) -> bool:
        """Whether nothing is said but the role."""
        return not (self.generate or self.add or self.remove or self.threshold is not None)


def rotate(
    repository: Repository,
    rotation: Rotation,
    ring: KeyRing,
    *,
    expiry: Expiry,
    now: datetime.datetime,
    plain: bool = False,
    request: Path | None = None,
    dry_run: bool = False,
) -> Rotated:
    """Change a role's keys or threshold, and publish it, or write a ``request`` where others must sign; with ``dry_run`` write nothing."""
    with repository.locked(reading=dry_run):
        current = repository.read_metadata()
        if rotation.is_replacement:
            rotation = dataclasses.replace(rotation, generate=1, remove=[_only_key(current, rotation.role)])
        removed = tuple(find_key(current, rotation.role, text) for text in rotation.remove)
        ring = ring.with_fresh({rotation.role: rotation.generate})
        added = (*(tuf_key(key.public_key) for key in ring.fresh.get(rotation.role, ())), *map(tuf_key, rotation.add))
        change = KeyChange(role=rotation.role, add=added, remove=removed, threshold=rotation.threshold)
        return _change(repository, current, [change], ring, expiry, now, plain=plain, request=request, dry_run=dry_run)


def revoke(
    repository: Repository,
    keyid: str,
    ring: KeyRing,
    *,
    expiry: Expiry,
    now: datetime.datetime,
    plain: bool = False,
    request: Path | None = None,
    dry_run: bool = False,
) -> Rotated:
    """Take a key from every role that has it. A role that falls below its threshold gets fresh keys instead."""
    with repository.locked(reading=dry_run):
        current = repository.read_metadata()
        counts: dict[str, int] = {}
        roles = roles_with(current, keyid)
        for role in roles:
            keyids, threshold = keys_of(current, role)
            counts[role] = max(0, threshold - (len(keyids) - 1))
        ring = ring.with_fresh(counts)
        changes = [
            KeyChange(role=role, add=tuple(tuf_key(key.public_key) for key in ring.fresh.get(role, ())), remove=(whole,))
            for role, whole in roles.items()
        ]
        return _change(repository, current, changes, ring, expiry, now, plain=plain, request=request, dry_run=dry_run)


def publish(
    repository: Repository, files: Sequence[Path], ring: KeyRing, *, expiry: Expiry, now: datetime.datetime, dry_run: bool = False
) -> Published:
    """Publish a request that people have signed; ``files`` are copies of it with signatures of several.

    1. All files are one request, for the versions that follow on what is published, and not expired.
    2. Every role has the threshold, by the repository's own metadata: root by the old and the new one. Other signatures are dropped.
    3. What targets and channels name is in the repository, and channels name releases that targets has: others may have been withdrawn since.
    4. Snapshot and timestamp are signed with the keys that are here, and all of it holds together.

    Raises `RepositoryError`, `TrustError` or `DocumentError`; nothing is written then, nor with ``dry_run``.
    """
    merged = merge([Request.read(path) for path in files])  # 1
    with repository.locked(reading=dry_run):
        current = repository.read_metadata() if (repository.directory / METADATA / "root.json").is_file() else None
        _check_next(current, merged.drafts, now)
        prune(current, merged.drafts)  # 2
        check_complete(current, merged.drafts)
        if current is None:
            return _publish_first_root(repository, merged.drafts, dry_run=dry_run)
        documents = _documents(merged)
        _check_blobs(repository, merged.drafts, documents)  # 3
        _check_named(repository, current, merged.drafts, documents)
        return Publication.complete(current, merged.drafts, ring, expiry, now, documents=documents).write(repository, dry_run=dry_run)  # 4


def _change(
    repository: Repository,
    current: RepositoryMetadata,
    changes: Sequence[KeyChange],
    ring: KeyRing,
    expiry: Expiry,
    now: datetime.datetime,
    *,
    plain: bool,
    request: Path | None,
    dry_run: bool,
) -> Rotated:
    publication = Publication.prepare(current, rotated(current, changes), ring, expiry, now, request=request)
    new_keys = [] if dry_run else ring.save(plain=[change.role for change in changes] if plain else ())
    done = publication.write(repository, dry_run=dry_run)
    roles = {change.role: keys_after(current, change) for change in changes}
    if dry_run:  # the keys that would be made are others each time
        made = {tuf_key(key.public_key).keyid for keys in ring.fresh.values() for key in keys}
        roles = {role: (tuple("a new key" if keyid in made else keyid for keyid in keyids), threshold) for role, (keyids, threshold) in roles.items()}
    return Rotated(published=done, new_keys=tuple(new_keys), roles=roles)


def keys_after(current: RepositoryMetadata, change: KeyChange) -> tuple[tuple[str, ...], int]:
    """A role's key ids and threshold once a change is in force."""
    keyids, threshold = keys_of(current, change.role)
    kept = (*(keyid for keyid in keyids if keyid not in change.remove), *(key.keyid for key in change.add))
    return kept, threshold if change.threshold is None else change.threshold


def _only_key(current: RepositoryMetadata, role: str) -> str:
    keyids, _ = keys_of(current, role)
    if len(keyids) != 1:
        advice = "Pass what to change: --remove-key, --add-key, --generate, --threshold."
        raise RepositoryError("the role has several keys", where=role, found=", ".join(keyid[:16] for keyid in keyids), advice=advice)
    return keyids[0]


def _check_next(current: RepositoryMetadata | None, drafts: Drafts, now: datetime.datetime) -> None:
    says = current.roles() if current else {}
    for role, metadata_of_role in drafts.items():
        signed = metadata_of_role.signed
        expected = says[role].version + 1 if role in says else 1
        if signed.version != expected:
            raise RepositoryError(
                "the request doesn't follow the published version",
                where=role,
                expected=f"version {expected}",
                found=f"version {signed.version}",
                advice="Another version was published since. Make a new request.",
            )
        if signed.expires <= now:
            raise RepositoryError("the request has expired", where=role, found=format_time(signed.expires), advice="Make a new request.")
        check_drafted(role, signed, now)
    if current is None and set(drafts) != {ROOT}:
        raise RepositoryError("the repository has no root yet", where=", ".join(drafts), expected="the request that `sealift repo init` wrote")


def _publish_first_root(repository: Repository, drafts: Drafts, *, dry_run: bool) -> Published:
    files = root_files(drafts)
    following = metadata.verify(lambda name: files[name] if name in files else repository.read_metadata_file(name))
    if not dry_run:
        repository.write_metadata(files)
    return Published(changed=True, new_blobs=0, timestamp_version=following.timestamp.signed.version, files=tuple(sorted(files)), dry_run=dry_run)


def _documents(request: Request) -> dict[str, bytes]:
    """The documents of the request that are those that channels names."""
    targets = request.drafts[CHANNELS].signed.targets if CHANNELS in request.drafts else {}
    documents = {name: text.encode() for name, text in request.documents.items()}
    return {name: data for name, data in documents.items() if name in targets and targets[name].hashes.get("sha256") == Digest.of(data).hex}


def _check_named(repository: Repository, current: RepositoryMetadata, drafts: Drafts, documents: Mapping[str, bytes]) -> None:
    """Raise `RepositoryError` if a channel would name a release that isn't published: devices would refuse the whole channel."""
    targets = drafts.get(TARGETS, current.targets).signed.targets
    channels = drafts.get(CHANNELS, current.channels).signed.targets
    for target, target_file in channels.items():
        data = documents[target] if target in documents else repository.layout.read_blob(target_blob(target_file))
        for name, version in Channel.parse(data, where=target).models.items():
            if release_target(name, version) not in targets:
                raise RepositoryError(
                    "a channel would name a release that isn't published",
                    where=target,
                    found=f"{name} {version}",
                    advice="It was withdrawn, or the channel was moved, after the request was made. Make a new request.",
                )


def _check_blobs(repository: Repository, drafts: Drafts, documents: Mapping[str, bytes]) -> None:
    for role in (TARGETS, CHANNELS):
        for target, target_file in drafts[role].signed.targets.items() if role in drafts else ():
            digest = Digest.parse(f"sha256:{target_file.hashes.get('sha256')}", where=target)
            if target not in documents and not repository.layout.has(digest):
                advice = "Add the release with `sealift repo add --request` on the machine with the repository."
                raise RepositoryError(
                    "the request refers to content that the repository doesn't have", where=target, expected=str(digest), advice=advice
                )
