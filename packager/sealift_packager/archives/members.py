"""The members of a strictly read archive, unpacked in the order in which they lie: each byte is read once, and each belongs to something.

1. A member's own header says the same as the directory: name, method, flags, checksum and sizes (zeros where these stand behind the data).
2. Its data unpacks to exactly the bytes that the directory says; reading stops at the first one too many.
3. Behind it stands its data descriptor, if its flags say so, with the same numbers, and nothing else up to the next member.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import IO, Final

from sealift_packager.archives.directory import (
    DESCRIPTOR_FLAG,
    FULL_32,
    LOCAL_HEADER,
    STORED,
    ZIP64_EXTRA,
    Member,
    extra_fields,
    shown,
)
from sealift_packager.archives.limits import CHUNK_BYTES
from sealift_packager.archives.refusals import Refusals

#: A descriptor of 32 or 64 bits, with its signature or without: all four are written.
_DESCRIPTORS: Final = {12: struct.Struct("<3I"), 16: struct.Struct("<4x3I"), 20: struct.Struct("<IQQ"), 24: struct.Struct("<4xIQQ")}


class HashedReader:
    """Reads a file from its beginning to its end, and knows the digest of what it has read."""

    def __init__(self, file: IO[bytes], refusals: Refusals) -> None:
        file.seek(0)
        self._file = file
        self._refusals = refusals
        self._total = hashlib.sha256()
        self.at = 0

    def read(self, length: int) -> bytes:
        """Exactly ``length`` bytes."""
        data = self._file.read(length)
        if len(data) != length:
            raise self._refusals.changed()
        self._total.update(data)
        self.at += length
        return data

    def chunks(self, length: int) -> Iterator[bytes]:
        """The next ``length`` bytes, a little at a time."""
        while length:
            data = self.read(min(length, CHUNK_BYTES))
            length -= len(data)
            yield data

    @property
    def hex(self) -> str:
        """The SHA-256 of everything so far."""
        return self._total.hexdigest()


def unpack_member(reader: HashedReader, member: Member, end: int, refusals: Refusals) -> Iterator[bytes]:
    """The content of the member where the reader stands; afterwards the reader stands at ``end``. Raises the error of ``refusals``."""
    _check_header(reader, member, end, refusals)  # 1
    packed = reader.chunks(member.packed_bytes)
    yield from packed if member.method == STORED else _inflate(packed, member, refusals)  # 2
    _check_descriptor(reader.read(end - reader.at), member, refusals)  # 3


def _check_header(reader: HashedReader, member: Member, end: int, refusals: Refusals) -> None:
    magic, _, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes = LOCAL_HEADER.unpack(reader.read(LOCAL_HEADER.size))
    available = end - reader.at - member.packed_bytes
    if magic != b"PK\x03\x04" or name_bytes + extra_bytes > available:
        raise refusals.of("a member isn't where the archive's directory says", member=member.name)
    name, extra = reader.read(name_bytes), reader.read(extra_bytes)
    comparisons = {"name": (member.name, shown(name)), "flags": (member.flags, flags), "method": (member.method, method)}
    wide = _wide_sizes(extra_fields(extra, refusals, member.name).get(ZIP64_EXTRA), size, packed, member, refusals)
    if flags & DESCRIPTOR_FLAG:  # the numbers come behind the data: these may be zero, or are right already
        comparisons |= {what: (right, right if value in (0, right) else value) for what, right, value in _numbers(member, crc, *wide)}
    else:
        comparisons |= {what: (right, value) for what, right, value in _numbers(member, crc, *wide)}
    for what, (right, value) in comparisons.items():
        if right != value or name != member.raw_name:
            message = f"a member's own header contradicts the archive's directory ({what})"
            raise refusals.of(message, member=member.name, expected=str(right), found=f"{value!s:.200}")


def _wide_sizes(field: bytes | None, size: int, packed: int, member: Member, refusals: Refusals) -> tuple[int, int]:
    """Unpacked and packed size, from the zip64 field where the header leaves them to it.

    torch's writer puts the field beside a header of zeros, with numbers that it doesn't use: each must be one that the member has.
    """
    if field is None:
        return size, packed
    if len(field) % 8 or len(field) > 24:
        raise refusals.of("a member's zip64 field is damaged", member=member.name)
    values = struct.unpack(f"<{len(field) // 8}Q", field)
    if not {*values} <= {0, member.size_bytes, member.packed_bytes, member.offset}:
        raise refusals.of("a member's zip64 field contradicts the archive's directory", member=member.name)
    left = iter(values)
    return (next(left, size) if size == FULL_32 else size), (next(left, packed) if packed == FULL_32 else packed)


def _numbers(member: Member, crc: int, size: int, packed: int) -> list[tuple[str, int, int]]:
    return [("checksum", member.crc, crc), ("size", member.size_bytes, size), ("packed size", member.packed_bytes, packed)]


def _inflate(packed: Iterator[bytes], member: Member, refusals: Refusals) -> Iterator[bytes]:
    unpacker, left = zlib.decompressobj(wbits=-15), member.size_bytes
    wrong = refusals.of("a member doesn't unpack to what the archive's directory says", member=member.name, expected=f"{left:,} bytes")
    try:
        for chunk in packed:
            data = chunk
            while data and not unpacker.eof:
                content = unpacker.decompress(data, CHUNK_BYTES)
                data = unpacker.unconsumed_tail
                left -= len(content)
                if left < 0:
                    raise wrong
                yield content
            if unpacker.unused_data or (data and unpacker.eof):
                raise wrong
        content = unpacker.flush(CHUNK_BYTES)
    except zlib.error as error:
        raise refusals.of("a member of the archive is damaged", member=member.name, found=str(error)) from error
    left -= len(content)
    if left or not unpacker.eof:
        raise wrong
    yield content


def _check_descriptor(data: bytes, member: Member, refusals: Refusals) -> None:
    if not member.flags & DESCRIPTOR_FLAG:
        if data:
            raise refusals.of("the archive has bytes that belong to no member", member=member.name, found=f"{len(data):,} bytes after it")
        return
    form = _DESCRIPTORS.get(len(data))
    signed = len(data) in (12, 20) or data.startswith(b"PK\x07\x08")
    if form is None or not signed or form.unpack(data) != (member.crc, member.packed_bytes, member.size_bytes):
        raise refusals.of("a member's data descriptor contradicts the archive's directory", member=member.name, expected="its checksum and sizes")
