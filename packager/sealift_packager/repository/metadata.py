"""Pure: a repository's TUF metadata, checked from the root down.

Source: https://theupdateframework.github.io/specification/latest/ (1.0), through python-tuf's Metadata API. Everything
that comes in and everything that goes out (`drafts`) is checked by `verify`, as a client would check it, so nothing is published
that a device would refuse. Expiry is not checked: an expired repository has to be refreshed, after all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final, TypeVar

from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from sealift_core.errors import TrustError
from sealift_core.messages.roles import CHANNELS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_core.messages.strict_tuf import StrictDeserializer
from sealift_packager.repository.roles import ROLES

HASHES: Final = ["sha256"]
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
        listed = [f"{meta.version}.{name}" for name, meta in sorted(self.snapshot.signed.meta.items())]
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
    snapshot = _read_listed(read, SNAPSHOT, timestamp.signed.snapshot_meta, Snapshot, root)  # 3
    targets = _read_listed(read, TARGETS, _listing(snapshot.signed, TARGETS), Targets, root)  # 4
    channels = _read_listed(read, CHANNELS, _listing(snapshot.signed, CHANNELS), Targets, targets)
    return RepositoryMetadata(root=root, timestamp=timestamp, snapshot=snapshot, targets=targets, channels=channels)


def _parse(read: Callable[[str], bytes], name: str, signed_type: type[S]) -> Metadata[S]:
    return parse_metadata(read(name), name, signed_type)


def parse_metadata(data: bytes, name: str, signed_type: type[S]) -> Metadata[S]:
    """One file as the metadata that it should be, its signatures unchecked; `TrustError`."""
    try:
        metadata = Metadata[S].from_bytes(data, StrictDeserializer())
    except DeserializationError as error:
        raise TrustError(f"not TUF metadata (caused by: {error})", where=f"metadata/{name}") from error
    if not isinstance(metadata.signed, signed_type):
        raise TrustError("metadata of another role", where=f"metadata/{name}", expected=signed_type.type, found=metadata.signed.type)
    return metadata


def _listing(snapshot: Snapshot, role: str) -> MetaFile:
    meta = snapshot.meta.get(f"{role}.json")
    if meta is None:
        raise TrustError(f"the snapshot doesn't list {role}.json", where=f"metadata/{snapshot.version}.snapshot.json")
    return meta


def _read_listed(
    read: Callable[[str], bytes], role: str, meta: MetaFile, signed_type: type[S], delegator: Metadata[Root] | Metadata[Targets]
) -> Metadata[S]:
    name = f"{meta.version}.{role}.json"
    data = read(name)
    try:
        meta.verify_length_and_hashes(data)
    except TufError as error:
        raise TrustError("not the bytes that the metadata above it lists", where=f"metadata/{name}") from error
    metadata = parse_metadata(data, name, signed_type)
    _verify_signatures(delegator, role, metadata, name)
    return metadata


def _verify_signatures(delegator: Metadata[Root] | Metadata[Targets], role: str, metadata: Metadata[S], name: str) -> None:
    try:
        delegator.signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (TufError, ValueError) as error:
        raise TrustError(f"not signed by the role {role}", where=f"metadata/{name}") from error
