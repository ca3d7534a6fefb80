"""One stage's result as bytes: a checksum, a header, and the parts that the header points to. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sealift_core.schema.documents import Json

MAGIC: Final = b"SEALIFT1"
_DIGEST_BYTES: Final = 32
_LENGTH_BYTES: Final = 8


def pack_entry(value: Json, depends: Mapping[str, str], parts: Sequence[bytes]) -> bytes:
    """The bytes of an entry; ``depends`` are modules with the digests that they had."""
    header = json.dumps({"value": value, "depends": dict(depends), "parts": [len(part) for part in parts]}).encode()
    body = b"".join((len(header).to_bytes(_LENGTH_BYTES, "big"), header, *parts))
    return MAGIC + hashlib.sha256(body).digest() + body


def unpack_entry(data: bytes) -> tuple[Any, dict[str, str], list[bytes]] | None:
    """Value, dependencies and parts; None if anything about the bytes is wrong."""
    start = len(MAGIC) + _DIGEST_BYTES
    body = memoryview(data)[start:]
    if data[: len(MAGIC)] != MAGIC or hashlib.sha256(body).digest() != data[len(MAGIC) : start]:
        return None
    length = int.from_bytes(body[:_LENGTH_BYTES], "big")
    header = json.loads(bytes(body[_LENGTH_BYTES : _LENGTH_BYTES + length]))
    parts, at = [], _LENGTH_BYTES + length
    for size in header["parts"]:
        parts.append(bytes(body[at : at + size]))
        at += size
    return header["value"], header["depends"], parts
