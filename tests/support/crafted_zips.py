"""Zip archives that readers understand differently, or that lie: byte by byte, for nothing that writes archives would write them.

Each trick of `TRICKS` takes the members of a good archive and those that an attacker would have read instead, and gives the archive's bytes.
"""

from __future__ import annotations

import dataclasses
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

Members = Mapping[str, bytes]


@dataclasses.dataclass(kw_only=True)
class Part:
    """One member: what its own header says, what the directory says (``central`` overrides), and its bytes as they lie."""

    name: bytes
    data: bytes
    method: int = 0
    flags: int = 0
    crc: int = 0
    packed: int = 0
    size: int = 0
    extra: bytes = b""
    behind: bytes = b""
    offset: int = -1
    central: dict[str, int | bytes] = dataclasses.field(default_factory=dict)

    def local(self) -> bytes:
        """Header, data and what stands behind it."""
        numbers = (20, self.flags, self.method, 0, 0x21, self.crc, self.packed, self.size, len(self.name), len(self.extra))
        return struct.pack("<4s5H3I2H", b"PK\x03\x04", *numbers) + self.name + self.extra + self.data + self.behind

    def entry(self, offset: int) -> bytes:
        """The directory's entry."""
        fields: dict[str, int | bytes] = {
            "name": self.name,
            "method": self.method,
            "flags": self.flags,
            "crc": self.crc,
            "packed": self.packed,
            "size": self.size,
            "extra": b"",
            "comment": b"",
            "disk": 0,
            "attributes": 0,
            "offset": offset if self.offset < 0 else self.offset,
            **self.central,
        }
        name, extra, comment = (bytes(fields[key]) for key in ("name", "extra", "comment"))
        method, sizes = (fields["flags"], fields["method"]), (fields["crc"], fields["packed"], fields["size"])
        head = (0x0314, 20, *method, 0, 0x21, *sizes, len(name), len(extra), len(comment))
        return struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *head, fields["disk"], 0, fields["attributes"], fields["offset"]) + name + extra + comment


def part(name: str, content: bytes, *, deflate: bool = False) -> Part:
    """A member as it should be."""
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(content) + packer.flush() if deflate else content
    return Part(name=name.encode(), data=data, method=8 if deflate else 0, crc=zlib.crc32(content), packed=len(data), size=len(content))


def parts(members: Members, *, deflate: bool = False) -> list[Part]:
    """Members as they should be."""
    return [part(name, content, deflate=deflate) for name, content in members.items()]


def assemble(
    members: Sequence[Part],
    *,
    before: bytes = b"",
    between: bytes = b"",
    comment: bytes = b"",
    behind: bytes = b"",
    zip64: Callable[[bytes, bytes], tuple[bytes, bytes]] | None = None,
    **end: int,
) -> bytes:
    """The archive; ``zip64`` may change a zip64 record and its locator, ``end`` numbers of the end record."""
    body, directory = before, b""
    for member in members:
        directory += member.entry(len(body))
        body += member.local()
    body += between
    numbers = {"disk": 0, "start_disk": 0, "here": len(members), "count": len(members), "length": len(directory), "offset": len(body), **end}
    tail = b""
    if zip64 is not None:
        record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 20, 45, 0, 0, len(members), len(members), len(directory), len(body))
        tail = b"".join(zip64(record, struct.pack("<4sIQI", b"PK\x06\x07", 0, len(body) + len(directory), 1)))
    return body + directory + tail + struct.pack("<4s4H2IH", b"PK\x05\x06", *numbers.values(), len(comment)) + comment + behind


def two_directories(good: Members, evil: Members) -> bytes:
    """Python's ``zipfile`` sees the good members, for their directory stands before the end record; a reader that goes where that says, the others.

    Both directories are made equally long, by comments.
    """
    bad, fine = parts(evil), parts(good)
    while len(fine) < len(bad):
        fine.append(part(f"{next(iter(good)).partition('/')[0]}/filler/{len(fine)}", b""))
    while len(bad) < len(fine):
        bad.append(part(f"{next(iter(evil)).partition('/')[0]}/filler/{len(bad)}", b""))
    lengths = [sum(len(member.entry(0)) for member in archive) for archive in (bad, fine)]
    for archive, length in zip((bad, fine), lengths, strict=True):
        archive[-1].central["comment"] = bytes(max(lengths) - length)
    body = b"".join(member.local() for member in bad).ljust(sum(len(member.local()) for member in fine), b"\0")
    first = len(body)
    body += _directory(bad, 0)
    shift = len(body) + sum(len(member.local()) for member in fine) - first  # how far zipfile moves the offsets that it reads
    second = _directory(fine, len(body) - shift)
    body += b"".join(member.local() for member in fine) + second
    return body + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, len(fine), len(fine), len(second), first, 0)


def _directory(members: Sequence[Part], start: int) -> bytes:
    entries, at = b"", start
    for member in members:
        entries += member.entry(at)
        at += len(member.local())
    return entries


def _changed(good: Members, change: Callable[[Part], object], *, deflate: bool = False) -> bytes:
    members = parts(good, deflate=deflate)
    change(max(members, key=lambda member: len(member.data)))
    return assemble(members)


def _edit(*, deflate: bool = False, **values: int | bytes) -> Callable[[Members, Members], bytes]:
    """One member's own header is another than the directory's entry."""

    def trick(good: Members, _: Members) -> bytes:
        def change(member: Part) -> None:
            member.central = {key: getattr(member, key) for key in values} | member.central
            for key, value in values.items():
                setattr(member, key, value)

        return _changed(good, change, deflate=deflate)

    return trick


def _say(*, deflate: bool = False, **values: int | bytes) -> Callable[[Members, Members], bytes]:
    """The directory's entry of one member says something else."""
    return lambda good, _: _changed(good, lambda member: member.central.update(values), deflate=deflate)


def _both(*, deflate: bool = False, **values: Callable[[Part], int | bytes]) -> Callable[[Members, Members], bytes]:
    """The member's own header and the entry agree on what isn't so."""

    def change(member: Part) -> None:
        computed = {key: value(member) for key, value in values.items()}
        for key, value in computed.items():
            setattr(member, key, value)

    return lambda good, _: _changed(good, change, deflate=deflate)


def _name(make: Callable[[str], str]) -> Callable[[Members, Members], bytes]:
    def trick(good: Members, _: Members) -> bytes:
        members = parts(good)
        return assemble([*members, part(make(next(iter(good))), b"x")])

    return trick


def _overlap(good: Members, evil: Members) -> bytes:
    """A member that holds the whole of another one, header and all."""
    name, content = next((name, content) for name, content in evil.items() if good.get(name) != content)
    inner = part(name, content)
    members = [member for member in parts(good) if member.name != inner.name]
    outer = part(f"{name}.outer", inner.local())
    start = sum(len(member.local()) for member in members) + len(outer.local()) - len(inner.local())
    hidden = dataclasses.replace(inner, offset=start, data=b"", name=b"")
    directory = [*members, outer]
    body = b"".join(member.local() for member in directory)
    entries = _directory(directory, 0) + dataclasses.replace(hidden, name=inner.name).entry(start)
    count = len(directory) + 1
    return body + entries + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(entries), len(body), 0)


def _twice(good: Members, evil: Members) -> bytes:
    return assemble([*parts(good), *[member for member in parts(evil) if good.get(member.name.decode()) != evil[member.name.decode()]]])


def _descriptor(good: Members, *, form: str, wrong: bool) -> bytes:
    members = parts(good)
    member = members[0]
    values = (member.crc, member.packed + wrong, member.size)
    member.flags, member.behind = 8, struct.pack(form, *([b"PK\x07\x08"] if "4s" in form else []), *values)
    member.central = {"crc": member.crc, "packed": member.packed, "size": member.size}
    member.crc = member.packed = member.size = 0
    return assemble(members)


def _wide(good: Members) -> bytes:
    members, at = parts(good), 0
    for member in members:
        member.extra = struct.pack("<2H2Q", 1, 16, member.size, member.packed)
        member.central = {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF, "extra": struct.pack("<2H3Q", 1, 24, member.size, member.packed, at)}
        member.size = member.packed = member.offset = 0xFFFFFFFF
        at += len(member.local())
    return assemble(members)


def _cut(good: Members, _: Members) -> bytes:
    whole = assemble(parts(good))
    return whole[: len(whole) * 2 // 3]


def _swap_records(record: bytes, locator: bytes) -> tuple[bytes, bytes]:
    return record, locator[:8] + struct.pack("<Q", struct.unpack("<Q", locator[8:16])[0] - 60) + locator[16:]


def _other_count(record: bytes, locator: bytes) -> tuple[bytes, bytes]:
    return record[:24] + struct.pack("<2Q", 1, 1) + record[40:], locator


def _padded_record(record: bytes, locator: bytes) -> tuple[bytes, bytes]:
    return record[:4] + struct.pack("<Q", 44 + 8) + record[12:] + bytes(8), locator


_SECOND_NAME: Final = struct.pack("<2HB", 0x7075, 10, 1) + bytes(4) + b"other"
#: Name → what makes the archive of the good members and the evil ones.
TRICKS: Final[dict[str, Callable[[Members, Members], bytes]]] = {
    "two directories": two_directories,
    "bytes before the first member": lambda good, _: assemble(parts(good), before=b"PK\x03\x04" + bytes(60)),
    "bytes before the archive, which doesn't know": lambda good, _: b"#!/bin/sh\n" + assemble(parts(good)),
    "an archive before the archive": lambda good, evil: assemble(parts(evil)) + assemble(parts(good)),
    "an archive behind the archive": lambda good, evil: assemble(parts(good), behind=assemble(parts(evil))),
    "bytes behind the archive": lambda good, _: assemble(parts(good), behind=b"more"),
    "a comment": lambda good, _: assemble(parts(good), comment=b"a comment"),
    "an archive in the comment": lambda good, evil: assemble(parts(good), comment=assemble(parts(evil))[-60_000:]),
    "bytes between members and directory": lambda good, _: assemble(parts(good), between=bytes(40)),
    "bytes between members": lambda good, _: _changed(good, lambda member: setattr(member, "behind", bytes(40))),
    "a member in a member": _overlap,
    "two entries of one member": _name(lambda name: name),
    "a name twice": _twice,
    "a name twice, the evil one first": lambda good, evil: _twice(evil, good),
    "another name in its own header": _edit(name=b"archive/other"),
    "another method in its own header": _edit(method=8),
    "other flags in its own header": _edit(flags=0x800),
    "another checksum in its own header": _edit(crc=1),
    "another size in its own header": _edit(size=3),
    "another packed size in its own header": _edit(packed=3),
    "another size in the directory": _say(size=3, deflate=True),
    "another packed size in the directory": _say(packed=3, deflate=True),
    "a size beyond the archive": _say(size=2**31, packed=2**31),
    "a checksum that is wrong": _both(crc=lambda member: member.crc ^ 1),
    "more than it says": _both(size=lambda member: member.size - 1, deflate=True),
    "less than it says": _both(size=lambda member: member.size + 1, deflate=True),
    "bytes behind its packed data": _both(data=lambda member: member.data + b"more", packed=lambda member: member.packed + 4, deflate=True),
    "stored with two sizes": _both(size=lambda member: member.size - 1),
    "an encrypted member": _both(flags=lambda _: 1),
    "an unknown flag": _both(flags=lambda _: 0x20),
    "an unknown method": _both(method=lambda _: 14),
    "a link": _say(attributes=0o120777 << 16),
    "another disk": _say(disk=1),
    "an entry with a comment": _say(comment=b"a comment"),
    "a second name": _say(extra=_SECOND_NAME),
    "an extra field that is cut off": _say(extra=b"\x01\x00\xff\xff"),
    "a zip64 field for nothing": _say(extra=struct.pack("<2HQ", 1, 8, 0)),
    "a header's extra field that is cut off": lambda good, _: _changed(good, lambda member: setattr(member, "extra", b"FB\x10\x00Z")),
    "another descriptor": lambda good, _: _descriptor(good, form="<4s3I", wrong=True),
    "fewer entries than it says": lambda good, _: assemble(parts(good), here=len(good) + 1, count=len(good) + 1),
    "more entries than it says": lambda good, _: assemble(parts(good), here=1, count=1),
    "several disks": lambda good, _: assemble(parts(good), disk=1),
    "a directory that begins earlier": lambda good, _: assemble(parts(good), length=10),
    "a zip64 record elsewhere": lambda good, _: assemble(parts(good), zip64=_swap_records),
    "a zip64 record of another count": lambda good, _: assemble(parts(good), zip64=_other_count),
    "a zip64 record with more in it": lambda good, _: assemble(parts(good), zip64=_padded_record),
    "an absolute name": _name(lambda _: "/etc/evil"),
    "a name that climbs": _name(lambda name: name.partition("/")[0] + "/../evil"),
    "a name with a backslash": _name(lambda _: "archive\\evil"),
    "a name with a NUL": _name(lambda name: f"{name}\0.txt"),
    "a name that isn't UTF-8": _both(name=lambda member: member.name + b"\xff"),
    "a name twice but for case": _name(str.swapcase),
    "cut off": _cut,
}
#: What names of arrays, which are no paths, may have.
FOR_PATHS: Final = ("an absolute name", "a name that climbs", "a name with a backslash", "a name twice but for case")
#: What real writers do, each in its own way: it is read.
FORMS: Final[dict[str, Callable[[Members], bytes]]] = {
    "stored": lambda good: assemble(parts(good)),
    "deflated": lambda good: assemble(parts(good, deflate=True)),
    "zip64": lambda good: assemble(parts(good), zip64=lambda record, locator: (record, locator)),
    "zip64 whose end record is full": lambda good: assemble(
        parts(good), zip64=lambda record, locator: (record, locator), here=0xFFFF, count=0xFFFF, length=0xFFFFFFFF, offset=0xFFFFFFFF
    ),
    **{
        f"a descriptor of {struct.calcsize(form)} bytes": lambda good, form=form: _descriptor(good, form=form, wrong=False)  # type: ignore[misc]
        for form in ("<3I", "<4s3I", "<IQQ", "<4sIQQ")
    },
    "zip64 sizes and places": _wide,
    "padding": lambda good: _changed(good, lambda member: setattr(member, "extra", b"FB\x10\x00" + b"Z" * 16)),
    "checksums left out": lambda good: assemble([dataclasses.replace(member, crc=0) for member in parts(good)]),
    "other order": lambda good: assemble(list(reversed(parts(good)))),
}


def members(path: Path) -> dict[str, bytes]:
    """What is in a good archive."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
