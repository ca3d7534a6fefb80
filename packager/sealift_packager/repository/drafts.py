"""Pure: the next metadata of some roles, the signatures that it has and lacks, and the files that publish it.

Root, targets and channels are *drafted*: their next version is made, signed by whoever is here, maybe by others elsewhere (`request`), and published
once each has its threshold. Snapshot and timestamp follow from them and are signed where they are published.

A draft's signatures are counted by those whose word a device asks for:

1. The next root needs the threshold of the root before it and its own. (TUF 5.3.4)
2. Targets, snapshot and timestamp need that of the root, the next one if there is one.
3. Channels needs that of targets, the next one if there is one.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from securesystemslib.signer import Key
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Role, Root, Signed, Snapshot, Targets, Timestamp, VerificationResult

from sealift_core.clock import format_time
from sealift_core.messages.roles import CHANNELS, ROOT, SIGNED_AT_FIELD, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_packager.errors import RepositoryError
from sealift_packager.repository.keyring import TufSigner
from sealift_packager.repository.metadata import HASHES, RepositoryMetadata, verify
from sealift_packager.repository.roles import ROLES, Expiry

#: Roles that are drafted, in the order in which they are signed and written.
DRAFTED: Final = (ROOT, TARGETS, CHANNELS)

Drafts = Mapping[str, Metadata[Any]]
Delegator = Root | Targets
T = TypeVar("T", bound=Signed)


class Keys(Protocol):
    """Who is here to sign (see `keyring.KeyRing`)."""

    def signers(self, role: str, keyids: Collection[str]) -> Iterable[TufSigner]:
        """Whoever of these keys is here."""

    def absent(self, role: str, keyids: Collection[str]) -> RepositoryError:
        """The error if nobody is."""


def first_signed(keys: Mapping[str, Sequence[Key]], thresholds: Mapping[str, int]) -> dict[str, Signed]:
    """What each role of an empty repository says, unsigned and as version 0; `RepositoryError` for a threshold that can't be met."""
    for role in ROLES:
        check_threshold(role, len({key.keyid for key in keys[role]}), thresholds.get(role, 1))
    root = Root(consistent_snapshot=True)
    for role in (ROOT, TARGETS, SNAPSHOT, TIMESTAMP):
        for key in keys[role]:
            root.add_key(key, role)
        root.roles[role].threshold = thresholds.get(role, 1)
    of_channels = {key.keyid: key for key in keys[CHANNELS]}
    delegated = DelegatedRole(CHANNELS, list(of_channels), thresholds.get(CHANNELS, 1), terminating=True, paths=["channels/*"])
    signed: dict[str, Signed] = {ROOT: root, TARGETS: Targets(delegations=Delegations(of_channels, {CHANNELS: delegated})), CHANNELS: Targets()}
    for unversioned in signed.values():
        unversioned.version = 0  # the next is the first
    return signed


def check_threshold(role: str, keys: int, threshold: int) -> None:
    """Raise `RepositoryError` unless so many keys can meet the threshold."""
    if not 1 <= threshold <= keys:
        raise RepositoryError(
            "the threshold can't be met",
            where=role,
            expected=f"a threshold from 1 to the number of the role's keys, {keys}",
            found=str(threshold),
            advice="Give the role more keys (--generate, --role-key, --add-key), or pass another --threshold.",
        )


def draft(changed: Mapping[str, Signed], expiry: Expiry, now: datetime.datetime) -> dict[str, Metadata[Any]]:
    """The next versions of what these roles say, unsigned."""
    return {role: Metadata(_next(changed[role], role, expiry, now)) for role in DRAFTED if role in changed}


def add_signatures(current: RepositoryMetadata | None, drafts: Drafts, keys: Keys) -> None:
    """Sign drafts, in place, with keys that are here, as many as are needed."""
    for role, metadata in drafts.items():
        for delegator in delegators(current, drafts, role):
            _sign(metadata, role, delegator, keys)


def delegators(current: RepositoryMetadata | None, drafts: Drafts, role: str) -> list[Delegator]:
    """Whose keys and thresholds count for a role: rules 1 to 3."""
    root = drafts.get(ROOT, current.root if current else None)
    targets = drafts.get(TARGETS, current.targets if current else None)
    if role == ROOT:
        return [metadata.signed for metadata in (current.root if current else None, drafts[ROOT]) if metadata]
    above = targets if role == CHANNELS else root
    return [above.signed] if above else []


def verification(delegator: Delegator, role: str, metadata: Metadata[Any]) -> VerificationResult:
    """Which keys of the role signed, which didn't, and the threshold."""
    delegation(delegator, role)
    return delegator.get_verification_result(role, metadata.signed_bytes, metadata.signatures)


def delegation(delegator: Delegator, role: str) -> Role:
    """The role's keys and threshold; `RepositoryError` if the delegator has no such role."""
    try:
        delegated = delegator.get_delegated_role(role)
    except ValueError as error:
        raise RepositoryError(f"the role {role} has no keys", where=delegator.type, expected=f"keys of {role}") from error
    if not all(isinstance(keyid, str) for keyid in delegated.keyids):
        raise RepositoryError(f"the keys of the role {role} are not valid key ids", where=delegator.type, expected="texts of hex digits")
    return delegated


def check_complete(current: RepositoryMetadata | None, drafts: Drafts, keys: Keys | None = None) -> None:
    """Raise `RepositoryError` for the first draft below a threshold; ``keys`` say so in their words if none of the role's is here."""
    for role, metadata in drafts.items():
        for delegator in delegators(current, drafts, role):
            result = verification(delegator, role, metadata)
            if result.verified:
                continue
            if keys is not None and not result.signed:
                raise keys.absent(role, delegation(delegator, role).keyids)
            raise RepositoryError(
                f"not enough signatures of the role {role}",
                where=f"{role}, version {metadata.signed.version}",
                expected=f"{result.threshold} of {', '.join(short(keyid) for keyid in delegation(delegator, role).keyids)}",
                found=", ".join(map(short, result.signed)) or "none",
                advice="Write the metadata to a file with --request FILE; then each signer adds a signature with `sealift repo sign`.",
            )


def short(keyid: str) -> str:
    """A key's id as people are shown it."""
    return f"{keyid[:16]}…"


def publishing_files(
    current: RepositoryMetadata, drafts: Drafts, keys: Keys, expiry: Expiry, now: datetime.datetime, *, anew: bool = False
) -> dict[str, bytes]:
    """The files that publish complete drafts, in the order in which they are to be written: root and timestamp last.

    Snapshot and timestamp are signed where something below them changed, where their signatures no longer count under the next root, or ``anew``.
    """
    root = delegators(current, drafts, TIMESTAMP)[0]
    listed = {role: drafts[role] for role in (TARGETS, CHANNELS) if role in drafts}
    files = {f"{metadata.signed.version}.{role}.json": metadata.to_bytes() for role, metadata in listed.items()}
    changed = {
        role: MetaFile.from_data(metadata.signed.version, files[f"{metadata.signed.version}.{role}.json"], HASHES)
        for role, metadata in listed.items()
    }
    snapshot, timestamp = current.snapshot, current.timestamp
    if changed or anew or not verification(root, SNAPSHOT, snapshot).verified:
        snapshot = Metadata(_next(snapshot.signed, SNAPSHOT, expiry, now))
        snapshot.signed.meta |= {f"{role}.json": meta for role, meta in changed.items()}
        files[f"{snapshot.signed.version}.snapshot.json"] = _signed_bytes(snapshot, SNAPSHOT, root, keys)
    if snapshot is not current.snapshot or not verification(root, TIMESTAMP, timestamp).verified:
        timestamp = Metadata(_next(timestamp.signed, TIMESTAMP, expiry, now))
        timestamp.signed.snapshot_meta = MetaFile.from_data(snapshot.signed.version, snapshot.to_bytes(), HASHES)
        last = {"timestamp.json": _signed_bytes(timestamp, TIMESTAMP, root, keys)}
    else:
        last = {}
    return files | root_files(drafts) | last


def root_files(drafts: Drafts) -> dict[str, bytes]:
    """The next root, and its copy by the name without a version."""
    if ROOT not in drafts:
        return {}
    data = drafts[ROOT].to_bytes()
    return {f"{drafts[ROOT].signed.version}.root.json": data, "root.json": data}


def first_files(drafts: Drafts, keys: Keys, expiry: Expiry, now: datetime.datetime) -> dict[str, bytes]:
    """The files of an empty repository, in order; without the root's where that isn't complete."""
    root: Root = drafts[ROOT].signed
    files = {f"1.{role}.json": drafts[role].to_bytes() for role in (TARGETS, CHANNELS)}
    snapshot, timestamp = Metadata(_first(Snapshot(), SNAPSHOT, expiry, now)), Metadata(_first(Timestamp(), TIMESTAMP, expiry, now))
    snapshot.signed.meta = {f"{role}.json": MetaFile.from_data(1, files[f"1.{role}.json"], HASHES) for role in (TARGETS, CHANNELS)}
    files["1.snapshot.json"] = _signed_bytes(snapshot, SNAPSHOT, root, keys)
    timestamp.signed.snapshot_meta = MetaFile.from_data(1, files["1.snapshot.json"], HASHES)
    files["timestamp.json"] = _signed_bytes(timestamp, TIMESTAMP, root, keys)
    if not verification(root, ROOT, drafts[ROOT]).verified:
        return files
    files = root_files(drafts) | files
    verify(files.__getitem__)
    return files


def prune(current: RepositoryMetadata | None, drafts: Drafts) -> None:
    """Drop, in place, signatures that count for nobody."""
    for role, metadata in drafts.items():
        counting = {keyid for delegator in delegators(current, drafts, role) for keyid in verification(delegator, role, metadata).signed}
        for keyid in set(metadata.signatures) - counting:
            del metadata.signatures[keyid]


def still_holds(delegator: Delegator, role: str, metadata: Metadata[Any]) -> bool:
    """Whether what is published is signed as a delegator says."""
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (TufError, ValueError):
        return False
    return True


def _next(signed: T, role: str, expiry: Expiry, now: datetime.datetime) -> T:
    following = copy.deepcopy(signed)
    following.version += 1
    following.expires = expiry.of(role, now)
    following.unrecognized_fields[SIGNED_AT_FIELD] = format_time(now)
    return following


def _first(signed: T, role: str, expiry: Expiry, now: datetime.datetime) -> T:
    signed.version = 0
    return _next(signed, role, expiry, now)


def _signed_bytes(metadata: Metadata[Any], role: str, root: Delegator, keys: Keys) -> bytes:
    _sign(metadata, role, root, keys)
    result = verification(root, role, metadata)
    if not result.verified:
        keyids = delegation(root, role).keyids
        if not result.signed:
            raise keys.absent(role, keyids)
        expected, advice = f"{result.threshold} of {', '.join(map(short, keyids))}", "Pass a folder that has them all to --keys."
        raise RepositoryError(
            f"too few keys of the role {role} are in the folder of keys", where=role, expected=expected, found=str(len(result.signed)), advice=advice
        )
    return metadata.to_bytes()


def _sign(metadata: Metadata[Any], role: str, delegator: Delegator, keys: Keys) -> None:
    """Sign with keys that are here until the delegator's threshold is met."""
    result = verification(delegator, role, metadata)
    if result.verified:
        return
    for signer in keys.signers(role, [keyid for keyid in delegation(delegator, role).keyids if keyid not in result.signed]):
        metadata.sign(signer, append=True)
        if verification(delegator, role, metadata).verified:
            return
