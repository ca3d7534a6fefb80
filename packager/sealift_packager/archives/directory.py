"""The directory of a zip archive, read so that no other reader could see another one in it.

The format leaves readers a choice: the directory is where the end record says, or what stands before that record; a name is that of the directory
or that of the member's own header; the last of two members of one name, or the first. An archive that says one thing only leaves none:

1. The file ends with an end record that has no comment and speaks of one disk.
2. If a zip64 locator stands before it, that points to a zip64 record right before itself, and both records say the same.
3. The directory begins where they say and ends where they begin. It has as many entries as they say.
4. An entry is stored or deflated, not encrypted, no link, without comment, and its zip64 field holds exactly the numbers that it stands in for.
5. Names are UTF-8 without NUL, and no two are alike. Where they are paths (`Names.PATHS`), they stay below where they start, have no backslashes or
   control characters, and two that differ in case or Unicode form alone are alike too.
6. The first member begins at byte 0, and none begins before the one in front of it ends.
7. Members, their bytes, and how much smaller they are packed are bounded (`limits`).

Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
"""

from __future__ import annotations

import dataclasses
import enum
import stat
import struct
import unicodedata
from collections.abc import Iterator, Sequence
from typing import IO, Final

from sealift_packager.archives.limits import MAX_BYTES, MAX_DIRECTORY_BYTES, MAX_MEMBERS, MAX_RATIO, SMALL_BYTES
from sealift_packager.archives.refusals import Refusals

STORED: Final = 0
DEFLATED: Final = 8
#: How well deflate was to pack (two bits), sizes behind the data, names in UTF-8.
DESCRIPTOR_FLAG: Final = 0x0008
_KNOWN_FLAGS: Final = 0x0006 | DESCRIPTOR_FLAG | 0x0800
_ENCRYPTED_FLAGS: Final = 0x0001 | 0x0040 | 0x2000
ZIP64_EXTRA: Final = 0x0001
#: Info-ZIP's second name of a member.
_NAME_EXTRA: Final = 0x7075
LOCAL_HEADER: Final = struct.Struct("<4s5H3I2H")
_END: Final = struct.Struct("<4s4H2IH")
_END64: Final = struct.Struct("<4sQ2H2I4Q")
_LOCATOR: Final = struct.Struct("<4sIQI")
_ENTRY: Final = struct.Struct("<4s6H3I5H2I")
FULL_16: Final = 0xFFFF
FULL_32: Final = 0xFFFFFFFF


class Names(enum.Enum):
    """What names of members are: paths in a folder, or any text (those of arrays)."""

    PATHS = "paths"
    LABELS = "labels"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What the directory says of a member; sizes in bytes. ``raw_name`` is the name as its own header must repeat it."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed_bytes: int
    size_bytes: int
    offset: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The members in the order in which they lie, where the directory starts, and everything from there to the end of the file.

    ``names`` are in the order of the directory, which readers go by.
    """

    members: tuple[Member, ...]
    names: tuple[str, ...]
    offset: int
    tail: bytes

    def spans(self) -> Iterator[tuple[Member, int]]:
        """Each member with where the next one, or the directory, begins."""
        ends = [member.offset for member in self.members[1:]] + [self.offset]
        return zip(self.members, ends, strict=False)  # where there are no members there is one end too many


def read_directory(file: IO[bytes], refusals: Refusals, names: Names = Names.PATHS) -> Directory:
    """Read the directory by the rules above; raises the error of ``refusals``."""
    size = file.seek(0, 2)
    offset, length, count = _ends(file, size, refusals)  # 1, 2, 3
    if length > MAX_DIRECTORY_BYTES:  # 7
        raise refusals.of("the archive's directory is too large", expected=f"at most {MAX_DIRECTORY_BYTES:,} bytes", found=f"{length:,}")
    tail = _read(file, offset, size - offset, refusals)
    members = [_member(entry, refusals) for entry in _entries(tail[:length], refusals)]
    if len(members) != count:  # 3
        raise refusals.of(
            "the archive's directory doesn't have the number of entries that its end record states", expected=str(count), found=str(len(members))
        )
    _check_names(members, names, refusals)  # 5
    listed = tuple(member.name for member in members)
    members.sort(key=lambda member: member.offset)
    directory = Directory(members=tuple(members), names=listed, offset=offset, tail=tail)
    _check_places(directory, refusals)  # 6
    _check_sizes(members, size, refusals)  # 7
    return directory


def extra_fields(data: bytes, refusals: Refusals, member: str) -> dict[int, bytes]:
    """The extra fields of a header by id; refused where one is cut off or comes twice."""
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            raise refusals.of("a member's extra field is cut off", member=member)
        field_id, length = struct.unpack_from("<2H", data, at)
        if at + 4 + length > len(data) or field_id in fields:
            raise refusals.of("a member's extra field is cut off or comes twice", member=member, found=f"field {field_id:#06x}")
        fields[field_id] = data[at + 4 : at + 4 + length]
        at += 4 + length
    return fields


def shown(raw: bytes) -> str:
    """A name for a message."""
    return raw.decode("utf-8", "backslashreplace")


def _read(file: IO[bytes], offset: int, length: int, refusals: Refusals) -> bytes:
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise refusals.cut_off("fewer bytes than its length field states")
    return data


def _ends(file: IO[bytes], size: int, refusals: Refusals) -> tuple[int, int, int]:
    """Where the directory begins, its bytes and its entries."""
    if size < _END.size:
        raise refusals.cut_off(f"{size} bytes")
    at = size - _END.size
    magic, *disks, entries_here, entries, length, offset, comment = _END.unpack(_read(file, at, _END.size, refusals))
    if magic != b"PK\x05\x06" or comment:  # 1
        raise refusals.cut_off("no end record as its last 22 bytes")
    record = (entries_here, entries, length, offset)
    if any(disks):
        raise refusals.of("the archive is split into several parts", found=f"disks {disks[0]} and {disks[1]}")
    start = at - _LOCATOR.size
    if start >= 0 and (locator := _read(file, start, _LOCATOR.size, refusals)).startswith(b"PK\x06\x07"):  # 2
        at, record = _zip64_end(file, start, locator, record, refusals)
    if record[0] != record[1] or record[3] + record[2] != at:  # 3
        raise refusals.of(
            "the archive's directory isn't where its end record says, so different readers could see different members",
            expected=f"{record[1]} entries that end at byte {at:,}",
            found=f"{record[0]} entries in bytes {record[3]:,} to {record[3] + record[2]:,}",
        )
    return record[3], record[2], record[1]


def _zip64_end(
    file: IO[bytes], start: int, locator: bytes, record: tuple[int, int, int, int], refusals: Refusals
) -> tuple[int, tuple[int, int, int, int]]:
    """Where the zip64 record begins and what it says; ``record`` is what the end record does."""
    wrong = refusals.of("the archive's zip64 record isn't right before its locator, or contradicts the end record")
    _, disk, place, disks = _LOCATOR.unpack(locator)
    at = start - _END64.size
    if at < 0 or place != at or disk or disks > 1:
        raise wrong
    magic, length, _, _, *others = _END64.unpack(_read(file, at, _END64.size, refusals))
    numbers = (others[2], others[3], others[4], others[5])
    if magic != b"PK\x06\x06" or length != _END64.size - 12 or any(others[:2]):
        raise wrong
    for short, full, most in zip(record, numbers, (FULL_16, FULL_16, FULL_32, FULL_32), strict=True):
        if short not in (full, most):
            raise wrong
    return at, numbers


def _entries(data: bytes, refusals: Refusals) -> Iterator[tuple[tuple[int, ...], bytes, bytes]]:
    """Numbers, name and extra fields of each entry."""
    at, count = 0, 0
    while at < len(data):
        if at + _ENTRY.size > len(data) or not data.startswith(b"PK\x01\x02", at):
            raise refusals.of("the archive's directory has something between its entries", found=f"byte {at:,} of it")
        _, *numbers = _ENTRY.unpack_from(data, at)
        name, extra, comment = numbers[9:12]
        start = at + _ENTRY.size
        at = start + name + extra + comment
        if at > len(data) or comment:
            raise refusals.of("an entry of the archive's directory is cut off, or has a comment", member=shown(data[start : start + name]))
        count += 1
        if count > MAX_MEMBERS:  # 7
            raise refusals.of("too many files in the archive", expected=f"at most {MAX_MEMBERS:,}", found=f"{count:,} and more")
        yield tuple(numbers), data[start : start + name], data[start + name : start + name + extra]


def _member(entry: tuple[tuple[int, ...], bytes, bytes], refusals: Refusals) -> Member:
    numbers, raw, extra = entry
    made_by, _, flags, method, _, _, crc, packed, size, _, _, _, disk, _, attributes, offset = numbers
    name = shown(raw)
    if flags & _ENCRYPTED_FLAGS:  # 4
        raise refusals.of("a member of the archive is encrypted", member=name)
    if flags & ~_KNOWN_FLAGS or method not in (STORED, DEFLATED):
        expected = "stored or deflated members without other flags"
        raise refusals.of(
            "a member uses an unsupported compression method or flag", member=name, expected=expected, found=f"method {method}, flags {flags:#06x}"
        )
    if made_by >> 8 == 3 and stat.S_ISLNK(attributes >> 16):
        raise refusals.of("a member of the archive is a link", member=name)
    fields = extra_fields(extra, refusals, name)
    if _NAME_EXTRA in fields:
        raise refusals.of("a member has two names", member=name)
    size, packed, offset = _wide((size, packed, offset), fields.get(ZIP64_EXTRA, b""), refusals, name)
    if disk:
        raise refusals.of("the archive is split into several parts", member=name)
    if method == STORED and packed != size:
        raise refusals.of("a stored member has two sizes", member=name, expected=f"{size:,} bytes", found=f"{packed:,}")
    return Member(name=name, raw_name=raw, flags=flags, method=method, crc=crc, packed_bytes=packed, size_bytes=size, offset=offset)


def _wide(numbers: Sequence[int], field: bytes, refusals: Refusals, member: str) -> tuple[int, ...]:
    """Numbers of 32 bits, those that are full replaced by the 64 bits of the zip64 field."""
    full = [at for at, number in enumerate(numbers) if number == FULL_32]
    if len(field) != 8 * len(full):
        raise refusals.of("a member's zip64 field isn't what its entry needs", member=member, expected=f"{len(full)} numbers")
    result = list(numbers)
    for at, value in zip(full, struct.unpack(f"<{len(full)}Q", field), strict=True):
        result[at] = value
    return tuple(result)


def _check_names(members: Sequence[Member], names: Names, refusals: Refusals) -> None:
    seen: dict[str, str] = {}
    for member in members:
        try:
            member.raw_name.decode()
        except UnicodeDecodeError as error:
            raise refusals.of("a member's name isn't UTF-8", member=member.name) from error
        fault = "one that has a NUL" if "\0" in member.name else _path_fault(member) if names is Names.PATHS else ""
        if fault:
            raise refusals.of("a member's name is unsafe", member=repr(member.name)[1:-1], expected="a relative path", found=fault)
        key = unicodedata.normalize("NFKC", member.name).casefold() if names is Names.PATHS else member.name
        if key in seen:
            raise refusals.of(
                "two members of the archive have the same name", member=member.name, found=f"{seen[key]!r:.200} and {member.name!r:.200}"
            )
        seen[key] = member.name


def _path_fault(member: Member) -> str:
    """What is wrong with a name as a path below a folder; empty if nothing is. A folder's own entry ends with a slash and is empty."""
    name = member.name
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or (len(parts[0]) == 2 and parts[0][1] == ":"):
        return "one that is absolute"
    if "" in parts or "." in parts or ".." in parts:
        return "one that has '..', '.' or nothing between slashes"
    if "\\" in name or any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in name):
        return "one that has a backslash or control characters"
    return "a folder entry that has content" if name.endswith("/") and (member.size_bytes or member.packed_bytes) else ""


def _check_places(directory: Directory, refusals: Refusals) -> None:
    before = 0
    for member, end in directory.spans():
        least = member.offset + LOCAL_HEADER.size + len(member.raw_name) + member.packed_bytes
        if (before == 0 and member.offset) or least > end:
            raise refusals.of(
                "members of the archive overlap, or there are bytes before the first one",
                member=member.name,
                expected=f"bytes {before:,} to {end:,} at most",
                found=f"bytes {member.offset:,} to {least:,}",
            )
        before = end
    if not directory.members and directory.offset:
        raise refusals.of("the archive has bytes that belong to no member", found=f"{directory.offset:,} bytes before the directory")


def _check_sizes(members: Sequence[Member], archive_bytes: int, refusals: Refusals) -> None:
    """By what the directory says, before anything is unpacked; `members` holds it to that."""
    total = sum(member.size_bytes for member in members)
    if total > MAX_BYTES:
        raise refusals.of("the archive would unpack to too much", expected=f"at most {MAX_BYTES >> 30} GiB", found=f"{total:,} bytes")
    entries = [(member.name, member.packed_bytes, member.size_bytes) for member in members]
    for name, packed, size in [*entries, ("", archive_bytes, total)]:
        if size > SMALL_BYTES and size > MAX_RATIO * max(packed, 1):
            raise refusals.of(
                "the archive unpacks to far more than its own size (a zip bomb?)",
                member=name,
                expected=f"at most {MAX_RATIO} times its packed size",
                found=f"{packed:,} bytes that unpack to {size:,}",
            )
