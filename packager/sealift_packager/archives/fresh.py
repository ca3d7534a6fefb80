"""A new archive of the members of one from outside: stored, with a directory of our own."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO, Final

from sealift_core.bundle.digest import Digest
from sealift_packager.archives.directory import Names, read_directory
from sealift_packager.archives.members import HashedReader, unpack_member
from sealift_packager.archives.refusals import Refusals

_ZIP64_BYTES: Final = 2**31 - 1
#: An archive in an archive in an archive: as far as any library writes them.
_MAX_DEPTH: Final = 3


def write_fresh(file: IO[bytes], target: Path, refusals: Refusals, names: Names = Names.PATHS) -> Digest:
    """Write the members of ``file`` to the archive ``target``; the digest is that of ``file``'s bytes, each of which was read once.

    Entries of folders are left out. A member's checksum must be right, but may be 0: torch leaves it out when told to. Raises the error of
    ``refusals``; then ``target`` is there in part.
    """
    directory = read_directory(file, refusals, names)
    reader = HashedReader(file, refusals)
    with zipfile.ZipFile(target, "w") as archive:
        for member, end in directory.spans():
            content = unpack_member(reader, member, end, refusals)
            if names is Names.PATHS and member.name.endswith("/"):
                for _ in content:  # there is none, but its header is to be read
                    pass
                continue
            info = zipfile.ZipInfo(member.name)
            with archive.open(info, "w", force_zip64=member.size_bytes >= _ZIP64_BYTES) as out:
                for chunk in content:
                    out.write(chunk)
            if member.crc not in (0, info.CRC):
                raise refusals.of("a member of the archive is damaged", member=member.name, found="a different checksum")
        places = {name: at for at, name in enumerate(directory.names)}
        archive.filelist.sort(key=lambda info: places[info.filename])
    if reader.read(len(directory.tail)) != directory.tail or file.read(1):
        raise refusals.changed()
    return Digest(reader.hex)


def check_inner(path: Path, refusals: Refusals) -> None:
    """Hold archives within the archive ``path``, which is one of ours, to the same rules: torch and skops read those in them too.

    They have a suffix; what has none holds the bytes of weights, whatever these begin with.
    """
    with path.open("rb") as file:
        _check_inner(file, refusals, 1)


def _check_inner(file: IO[bytes], refusals: Refusals, depth: int) -> None:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if "." not in info.filename.rpartition("/")[2]:
                continue
            with archive.open(info) as member:
                if member.read(4) != b"PK\x03\x04":
                    continue
                if depth == _MAX_DEPTH:
                    raise refusals.of("archives are nested too deep", member=info.filename, expected=f"at most {_MAX_DEPTH}")
                inner = Refusals(where=f"{refusals.where}: {info.filename:.200}", error=refusals.error)
                directory = read_directory(member, inner, Names.LABELS)
                reader = HashedReader(member, inner)
                for part, end in directory.spans():
                    for _ in unpack_member(reader, part, end, inner):
                        pass
                _check_inner(member, inner, depth + 1)
