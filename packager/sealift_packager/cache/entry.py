"""One stage's result as bytes: a checksum, the modules that it depends on, and the value. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

MAGIC: Final = b"SEALIFT2"
_DIGEST_BYTES: Final = 32
_LENGTH_BYTES: Final = 8


def pack_entry(value: bytes, depends: Mapping[str, str]) -> bytes:
    """The bytes of an entry; ``depends`` are modules with the digests that they had."""
    header = msgspec.msgpack.encode(dict(depends))
    length = len(header).to_bytes(_LENGTH_BYTES, "big")
    total = hashlib.sha256(length + header)
    total.update(value)
    return b"".join((MAGIC, total.digest(), length, header, value))


def unpack_entry(data: bytes) -> tuple[memoryview, dict[str, str]] | None:
    """The value's bytes and its dependencies; None if anything about the bytes is wrong."""
    start = len(MAGIC) + _DIGEST_BYTES
    body = memoryview(data)[start:]
    if data[: len(MAGIC)] != MAGIC or hashlib.sha256(body).digest() != data[len(MAGIC) : start]:
        return None
    end = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "big")
    try:
        return body[end:], msgspec.msgpack.decode(body[_LENGTH_BYTES:end], type=dict[str, str])
    except msgspec.MsgspecError:  # its checksum holds, but other code wrote it
        return None
