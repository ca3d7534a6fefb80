"""A request: the next metadata of some roles, for people who sign it wherever they are.

One JSON file holds all that is needed, so a signer needs no repository and no network. What it says of itself proves nothing: whoever signs looks at
what is to be signed (`describe`), and whoever publishes counts the signatures by the repository's own metadata. ``base`` is what was in force when
the request was made; it tells signers what changes and which signatures are wanted, and nothing is decided by it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.serialization import SerializationError

from sealift_core import beneath, durable
from sealift_core.clock import format_time
from sealift_core.messages.channel import Channel
from sealift_core.messages.roles import CHANNELS, ROOT, SIGNED_AT_FIELD, TARGETS
from sealift_core.schema.documents import Document, Json, canonical_json
from sealift_packager.errors import RepositoryError
from sealift_packager.repository.drafts import DRAFTED, Delegator, Drafts, delegation, verification
from sealift_packager.repository.keyring import TufSigner
from sealift_packager.repository.metadata import RepositoryMetadata, parse_metadata

SCHEMA: Final = "sealift.repository-request"
MAJOR: Final = 1
MAX_BYTES: Final = 64 * 2**20
_SIGNED_TYPES: Final[Mapping[str, type[Root | Targets]]] = {ROOT: Root, TARGETS: Targets, CHANNELS: Targets}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """``drafts`` are to be signed; ``base`` was in force (empty for a new repository); ``documents`` are the channels' by target."""

    drafts: dict[str, Metadata[Any]]
    base: dict[str, Metadata[Any]]
    documents: Mapping[str, str]

    @classmethod
    def of(cls, current: RepositoryMetadata | None, drafts: Drafts, documents: Mapping[str, bytes]) -> Request:
        """For drafts that follow on a repository's current metadata."""
        base: dict[str, Metadata[Any]] = {ROOT: current.root, TARGETS: current.targets} if current else {}
        return cls(drafts=dict(drafts), base=base, documents={name: data.decode() for name, data in documents.items()})

    @classmethod
    def read(cls, path: Path) -> Request:
        """Read a request's file; `RepositoryError`, `DocumentError`, `TrustError`, `LimitError` or, for a pipe, `IntegrityError`."""
        try:
            data = beneath.read_own(path, MAX_BYTES)
        except OSError as error:
            raise RepositoryError(f"the request can't be read ({error.strerror})", where=str(path)) from error
        document = Document.parse_json(data, where=str(path), max_bytes=MAX_BYTES)
        document.schema(SCHEMA, MAJOR)
        drafts, documents = _metadata(document.document("metadata")), document.document("documents", {})
        if not drafts:
            raise RepositoryError("the request contains nothing to sign", where=str(path), expected=f"metadata of {', '.join(DRAFTED)}")
        return cls(drafts=drafts, base=_metadata(document.document("base", {})), documents={name: documents.text(name) for name in documents.names()})

    def write(self, path: Path) -> None:
        """Write the file, durably."""
        parts = {"metadata": self.drafts, "base": self.base}
        tables = {name: {role: metadata.to_dict() for role, metadata in by_role.items()} for name, by_role in parts.items()}
        durable.write_bytes(path, canonical_json({"schema": f"{SCHEMA}/{MAJOR}", **tables, "documents": dict(self.documents)}))

    def sign(self, signer: TufSigner) -> list[str]:
        """Add a key's signature, in place, wherever it counts; to which roles. `RepositoryError` if nowhere."""
        keyid = signer.public_key.keyid
        counts = {role: [delegation(delegator, role).keyids for delegator in self._delegators(role)] for role in self.drafts}
        signed = [role for role, keyids_of_each in counts.items() if any(keyid in keyids for keyids in keyids_of_each)]
        if not signed:
            expected = ", ".join(
                dict.fromkeys(f"{other[:16]}…" for keyids_of_each in counts.values() for keyids in keyids_of_each for other in keyids)
            )
            raise RepositoryError(
                "the request doesn't need a signature by this key", where="--key", expected=f"one of {expected}", found=f"{keyid[:16]}…"
            )
        for role in signed:
            self.drafts[role].sign(signer, append=True)
        return signed

    def missing(self) -> dict[str, int]:
        """How many signatures each role still needs, by what the request says of itself."""
        counts: dict[str, int] = {}
        for role, metadata in self.drafts.items():
            results = [verification(delegator, role, metadata) for delegator in self._delegators(role)]
            counts[role] = max((max(0, result.threshold - len(result.signed)) for result in results), default=0)
        return counts

    def describe(self) -> dict[str, Json]:
        """What a signature would vouch for, in full, and what is new of it by what the request says was in force."""
        descriptions: dict[str, Json] = {}
        for role, metadata in self.drafts.items():
            signed = metadata.signed
            about: dict[str, Json] = {"version": signed.version, "expires": format_time(signed.expires), "says": _says(role, signed, self.documents)}
            descriptions[role] = about | {
                "changes": self._changes(role),
                "signed_by": self.signed_by(role),
                "missing_signatures": self.missing()[role],
            }
        return descriptions

    def _changes(self, role: str) -> list[str]:
        if role not in self.base:
            return []
        before, after = (_says(role, by_role[role].signed, {}) for by_role in (self.base, self.drafts))
        return [
            *(name for name, value in after.items() if before.get(name) != value),
            *(f"{name} (no longer)" for name in before if name not in after),
        ]

    def signed_by(self, role: str) -> list[str]:
        """The ids of the keys whose signatures of a role hold, by what the request says of itself."""
        return sorted({keyid for delegator in self._delegators(role) for keyid in verification(delegator, role, self.drafts[role]).signed})

    def _delegators(self, role: str) -> list[Delegator]:
        if role == ROOT:
            return [by_role[ROOT].signed for by_role in (self.base, self.drafts) if ROOT in by_role]
        above = TARGETS if role == CHANNELS else ROOT
        metadata = self.drafts.get(above) or self.base.get(above)
        return [metadata.signed] if metadata else []


def merge(requests: Sequence[Request]) -> Request:
    """One request with the signatures of all, which are copies of one that several people signed; `RepositoryError` if they aren't."""
    first, *others = requests
    for other in others:
        same = first.drafts.keys() == other.drafts.keys() and all(
            first.drafts[role].signed_bytes == other.drafts[role].signed_bytes for role in first.drafts
        )
        if not same:
            raise RepositoryError("the files are not copies of the same request", where="REQUEST", advice="Publish one request at a time.")
        for role, metadata in other.drafts.items():
            for keyid, signature in metadata.signatures.items():
                if keyid not in first.signed_by(role):
                    first.drafts[role].signatures[keyid] = signature
    return first


def _metadata(document: Document) -> dict[str, Metadata[Any]]:
    by_role: dict[str, Metadata[Any]] = {}
    for role in DRAFTED:
        if document.has(role):
            data = json.dumps(document.document(role).raw()).encode()
            by_role[role] = parse_metadata(data, f"{role}.json", _SIGNED_TYPES[role])
            _check_can_be_signed(by_role[role], f"{document.where}.{role}")
    document.refuse_unknown()
    return by_role


def _check_can_be_signed(metadata: Metadata[Any], where: str) -> None:
    try:
        _ = metadata.signed_bytes
    except SerializationError as error:
        raise RepositoryError("this can't be signed", where=where, expected="texts, whole numbers, lists and tables") from error


def _says(role: str, signed: Any, documents: Mapping[str, str]) -> dict[str, str]:
    """What a role's metadata says, as names with values."""
    if role == ROOT:
        return {f"keys of {name}": _keys(signed, name) for name in sorted(signed.roles)}
    delegated = signed.delegations.roles if signed.delegations and signed.delegations.roles else ()
    statements = {f"keys of {name}": _keys(signed, name) for name in delegated}
    statements |= {str(name): str(value) for name, value in sorted(signed.unrecognized_fields.items()) if name != SIGNED_AT_FIELD}
    for target, target_file in sorted(signed.targets.items()):
        digest = target_file.hashes.get("sha256", "")
        statements[target] = f"sha256:{digest}{_channel(target, digest, documents)}"
    return statements


def _channel(target: str, digest: str, documents: Mapping[str, str]) -> str:
    """What a channel's document says, if the request has the one that is signed."""
    data = documents.get(target, "").encode()
    if hashlib.sha256(data).hexdigest() != digest:
        return ""
    return "".join(f", {name} {version}" for name, version in Channel.parse(data, where=target).models.items())


def _keys(signed: Delegator, role: str) -> str:
    delegated = delegation(signed, role)
    return f"{delegated.threshold} of {', '.join(sorted(delegated.keyids))}"
