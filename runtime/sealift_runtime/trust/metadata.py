"""One metadata file: parsed, its type and signatures checked; python-tuf's errors become ours here."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

from securesystemslib.exceptions import Error as SecuresystemslibError
from securesystemslib.signer import Signature
from tuf.api.exceptions import DownloadError, RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Signed, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError, SerializationError

from sealift_core.clock import parse_time
from sealift_core.errors import LimitError, TrustError
from sealift_core.messages.roles import CHANNELS, ROOT, SIGNED_AT_FIELD, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_core.messages.strict_tuf import StrictDeserializer
from sealift_core.schema.strict_json import BUDGET

S = TypeVar("S", bound=Signed)

#: The most bytes that a file of each role may have.
MAX_BYTES: Final[Mapping[str, int]] = {ROOT: 512 * 1024, TIMESTAMP: 64 * 1024, SNAPSHOT: 2**20, TARGETS: 16 * 2**20, CHANNELS: 4 * 2**20}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class File(Generic[S]):
    """A metadata file whose signatures were checked, and the bytes it came as."""

    role: str
    data: bytes
    signed: S
    signed_bytes: bytes
    signatures: Mapping[str, Signature]

    @property
    def signed_at(self) -> datetime.datetime | None:
        """When it was signed, if it says so; never after its own expiry."""
        text = self.signed.unrecognized_fields.get(SIGNED_AT_FIELD)
        if text is None:
            return None
        try:
            moment = parse_time(str(text))
        except ValueError as error:
            raise TrustError("not a time", where=f"{where(self.role)}: {SIGNED_AT_FIELD}", expected="like 2026-01-31T12:00:00Z") from error
        if moment > self.signed.expires:
            raise TrustError("signed after its own expiry", where=where(self.role), found=str(text))
        return moment


def where(role: str) -> str:
    """The role's file as messages name it."""
    return f"metadata/{role}.json"


@contextlib.contextmanager
def translate_tuf_errors(role: str) -> Iterator[None]:
    """Turn python-tuf's errors into `TrustError`, naming the file."""
    try:
        yield
    except UnsignedMetadataError as error:
        advice = "The metadata was changed after signing, or was signed by keys that are not (or no longer) trusted for this."
        raise TrustError(f"not enough valid signatures, caused by: {error}", where=where(role), advice=advice) from error
    except (DeserializationError, SerializationError) as error:
        raise TrustError(f"not valid metadata, caused by: {error}", where=where(role)) from error
    except (RepositoryError, DownloadError, SecuresystemslibError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TrustError(f"the metadata is invalid, caused by: {error}", where=where(role)) from error


def parse(role_type: type[S], role: str, data: bytes) -> File[S]:
    """Read a file as one role's metadata; its signatures are not checked yet.

    1. It is within the role's bound, and what parsing costs is bounded, too.
    2. It is TUF metadata of the role's type, in JSON without duplicate names.
    3. Its signatures are written in the one canonical way, so that no other bytes say the same.
    """
    if len(data) > MAX_BYTES[role]:  # 1
        raise LimitError("too large", where=where(role), expected=f"at most {MAX_BYTES[role]} bytes", found=f"{len(data)} bytes")
    BUDGET.check(data, where=where(role))
    with translate_tuf_errors(role):
        metadata: Metadata[Any] = Metadata.from_bytes(data, StrictDeserializer())
        signed_bytes = metadata.signed_bytes
    if not isinstance(metadata.signed, role_type):  # 2
        raise TrustError("the file holds another role's metadata", where=where(role), expected=role_type.type, found=metadata.signed.type)
    for keyid, signature in metadata.signatures.items():  # 3
        if not isinstance(signature.signature, str):
            raise TrustError("a signature isn't a string", where=where(role), expected="hex", found=f"by key {keyid[:16]}…")
        if signature.signature != signature.signature.lower():
            raise TrustError("a signature isn't in canonical form", where=where(role), expected="lower-case hex", found=f"by key {keyid[:16]}…")
    return File(role=role, data=data, signed=metadata.signed, signed_bytes=signed_bytes, signatures=metadata.signatures)


def check_signatures(file: File[S], delegator: Root | Targets) -> None:
    """Raise `TrustError` unless the threshold of the role's keys, as the delegator lists them, signed the file."""
    with translate_tuf_errors(file.role):
        delegator.verify_delegate(file.role, file.signed_bytes, dict(file.signatures))


ROLE_TYPES: Final[Mapping[str, type[Signed]]] = {ROOT: Root, TIMESTAMP: Timestamp, SNAPSHOT: Snapshot, TARGETS: Targets, CHANNELS: Targets}
