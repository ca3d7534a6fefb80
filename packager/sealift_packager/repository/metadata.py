"""Pure: TUF metadata in, the next TUF metadata out, as names and bytes.

Source: https://theupdateframework.github.io/specification/latest/ (1.0), through python-tuf's Metadata API. Everything
that comes in and everything that goes out is checked by `verify`, as a client would check it, so nothing is published
that a device would refuse. Expiry is not checked: an expired repository has to be refreshed, after all.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Root, Signed, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from sealift_packager.errors import RepositoryError
from sealift_packager.repository.keyring import TufSigner
from sealift_packager.repository.roles import CHANNELS, ROLES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Expiry
from sealift_runtime.clock import format_time
from sealift_runtime.errors import TrustError

#: A field beside TUF's own (the specification allows them): when this was signed, for devices that have no clock.
SIGNED_AT: Final = "dev.sealift.signed-at"
HASHES: Final = ["sha256"]
Signers = Mapping[str, TufSigner]
S = TypeVar("S", Root, Timestamp, Snapshot, Targets)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryMetadata:
    """One consistent, verified set of metadata. Its parts are python-tuf's and mutable: copy before changing."""

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]
    channels: Metadata[Targets]

    def roles(self) -> dict[str, Signed]:
        """What each role signed."""
        signed = (self.root.signed, self.targets.signed, self.channels.signed, self.snapshot.signed, self.timestamp.signed)
        return dict(zip(ROLES, signed, strict=True))

    def file_names(self) -> list[str]:
        """The files below ``metadata/`` that a device can ask for, all roots included."""
        roots = [f"{version}.root.json" for version in range(1, self.root.signed.version + 1)]
        listed = [f"{row.version}.{name}" for name, row in sorted(self.snapshot.signed.meta.items())]
        return [*roots, "root.json", *listed, f"{self.snapshot.signed.version}.snapshot.json", "timestamp.json"]


def verify(read: Callable[[str], bytes]) -> RepositoryMetadata:
    """Check a repository's metadata from the root down; ``read`` gives a file's bytes by its name.

    1. ``root.json`` is signed by its own root keys.
    2. ``timestamp.json`` is signed as the root says.
    3. The snapshot has the length and hash that the timestamp lists, and is signed as the root says.
    4. Targets and channels have the length and hash that the snapshot lists; targets is signed as the root says,
       channels as targets says.

    Raises `TrustError` naming the file.
    """
    root = _parse(read, "root.json", Root)
    _verify_signatures(root, ROOT, root, "root.json")  # 1
    timestamp = _parse(read, "timestamp.json", Timestamp)
    _verify_signatures(root, TIMESTAMP, timestamp, "timestamp.json")  # 2
    snapshot = _listed(read, SNAPSHOT, timestamp.signed.snapshot_meta, Snapshot, root)  # 3
    targets = _listed(read, TARGETS, _row(snapshot.signed, TARGETS), Targets, root)  # 4
    channels = _listed(read, CHANNELS, _row(snapshot.signed, CHANNELS), Targets, targets)
    return RepositoryMetadata(root=root, timestamp=timestamp, snapshot=snapshot, targets=targets, channels=channels)


def first_files(signers: Signers, expiry: Expiry, now: datetime.datetime) -> dict[str, bytes]:
    """The metadata of an empty repository, in the order in which it is to be written."""
    keys = {role: signers[role].public_key for role in ROLES}
    root = Root(consistent_snapshot=True)
    for role in (ROOT, TARGETS, SNAPSHOT, TIMESTAMP):
        root.add_key(keys[role], role)
    delegated = DelegatedRole(CHANNELS, [keys[CHANNELS].keyid], 1, terminating=True, paths=["channels/*"])
    targets = Targets(delegations=Delegations({keys[CHANNELS].keyid: keys[CHANNELS]}, {CHANNELS: delegated}))
    files = _root_files(root, signers, expiry, now)
    snapshot = Snapshot()
    for role, signed in ((TARGETS, targets), (CHANNELS, Targets())):
        data = _sign(signed, role, signers, expiry, now)
        files[f"1.{role}.json"] = data
        snapshot.meta[f"{role}.json"] = MetaFile.from_data(1, data, HASHES)
    files |= _publishing_files(snapshot, Timestamp(), signers, expiry, now)
    verify(files.__getitem__)
    return files


def next_files(
    current: RepositoryMetadata, changed: Mapping[str, Targets], signers: Signers, expiry: Expiry, now: datetime.datetime
) -> dict[str, bytes]:
    """The files to write when targets or channels (``changed``, by role) change, in order, ``timestamp.json`` last.

    With nothing changed, snapshot and timestamp are signed anew all the same.
    """
    for role, signer in signers.items():
        _check_key(current, role, signer)
    files: dict[str, bytes] = {}
    snapshot = _next(current.snapshot.signed)
    for role, signed in changed.items():
        following = _next(signed)
        files[f"{following.version}.{role}.json"] = data = _sign(following, role, signers, expiry, now)
        snapshot.meta[f"{role}.json"] = MetaFile.from_data(following.version, data, HASHES)
    return files | _publishing_files(snapshot, _next(current.timestamp.signed), signers, expiry, now)


def next_root_files(current: RepositoryMetadata, signers: Signers, expiry: Expiry, now: datetime.datetime) -> dict[str, bytes]:
    """The same root with a later expiry, as its next version."""
    _check_key(current, ROOT, signers[ROOT])
    return _root_files(_next(current.root.signed), signers, expiry, now)


def _root_files(root: Root, signers: Signers, expiry: Expiry, now: datetime.datetime) -> dict[str, bytes]:
    data = _sign(root, ROOT, signers, expiry, now)
    return {f"{root.version}.root.json": data, "root.json": data}


def _publishing_files(snapshot: Snapshot, timestamp: Timestamp, signers: Signers, expiry: Expiry, now: datetime.datetime) -> dict[str, bytes]:
    data = _sign(snapshot, SNAPSHOT, signers, expiry, now)
    timestamp.snapshot_meta = MetaFile.from_data(snapshot.version, data, HASHES)
    return {f"{snapshot.version}.snapshot.json": data, "timestamp.json": _sign(timestamp, TIMESTAMP, signers, expiry, now)}


def _next(signed: S) -> S:
    following = copy.deepcopy(signed)
    following.version += 1
    return following


def _sign(signed: S, role: str, signers: Signers, expiry: Expiry, now: datetime.datetime) -> bytes:
    signed.expires = expiry.of(role, now)
    signed.unrecognized_fields[SIGNED_AT] = format_time(now)
    metadata: Metadata[S] = Metadata(signed)
    metadata.sign(signers[role])
    return metadata.to_bytes()


def _check_key(current: RepositoryMetadata, role: str, signer: TufSigner) -> None:
    delegator = current.targets.signed if role == CHANNELS else current.root.signed
    expected = delegator.get_delegated_role(role).keyids
    if signer.public_key.keyid not in expected:
        names = ", ".join(keyid[:16] for keyid in expected)
        raise RepositoryError(
            f"the key isn't that of the role {role}",
            where=f"{role}.pem",
            expected=f"{names}…",
            found=f"{signer.public_key.keyid[:16]}…",
            advice="Give --keys the folder that was made with this repository.",
        )


def _parse(read: Callable[[str], bytes], name: str, kind: type[S]) -> Metadata[S]:
    return _parse_bytes(read(name), name, kind)


def _parse_bytes(data: bytes, name: str, kind: type[S]) -> Metadata[S]:
    try:
        metadata = Metadata[S].from_bytes(data)
    except DeserializationError as error:
        raise TrustError(f"not TUF metadata ({error})", where=f"metadata/{name}") from error
    if not isinstance(metadata.signed, kind):
        raise TrustError("metadata of another role", where=f"metadata/{name}", expected=kind.type, found=metadata.signed.type)
    return metadata


def _row(snapshot: Snapshot, role: str) -> MetaFile:
    row = snapshot.meta.get(f"{role}.json")
    if row is None:
        raise TrustError(f"the snapshot doesn't list {role}.json", where=f"metadata/{snapshot.version}.snapshot.json")
    return row


def _listed(read: Callable[[str], bytes], role: str, row: MetaFile, kind: type[S], delegator: Metadata[Root] | Metadata[Targets]) -> Metadata[S]:
    name = f"{row.version}.{role}.json"
    data = read(name)
    try:
        row.verify_length_and_hashes(data)
    except TufError as error:
        raise TrustError("not the bytes that the metadata above it lists", where=f"metadata/{name}") from error
    metadata = _parse_bytes(data, name, kind)
    _verify_signatures(delegator, role, metadata, name)
    return metadata


def _verify_signatures(delegator: Metadata[Root] | Metadata[Targets], role: str, metadata: Metadata[S], name: str) -> None:
    try:
        delegator.signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (TufError, ValueError) as error:
        raise TrustError(f"not signed by the role {role}", where=f"metadata/{name}") from error
