"""Archives and packed files from outside (``.npz``, ``.pt``, ``.pt2``, ``.skops``, joblib): what they unpack to is bounded before it is used."""

from __future__ import annotations

import bz2
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sealift_packager.errors import PackagerError, SourceModelError

MAX_MEMBERS: Final = 100_000
MAX_BYTES: Final = 64 * 2**30
#: A member that unpacks to more than this is refused if it is packed tighter than `MAX_RATIO`: real weights and rows don't shrink so.
SMALL_BYTES: Final = 64 * 2**20
MAX_RATIO: Final = 200


def check_archive(archive: zipfile.ZipFile, path: Path, error: type[PackagerError] = SourceModelError) -> None:
    """Raise ``error`` for an archive that would unpack to far more than it is."""
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS:
        raise error("too many files in the archive", where=str(path), expected=f"at most {MAX_MEMBERS:,}", found=f"{len(members):,}")
    if total > MAX_BYTES:
        raise error("the archive would unpack to too much", where=str(path), expected=f"at most {MAX_BYTES >> 30} GiB", found=f"{total:,} bytes")
    for member in members:
        if member.file_size > SMALL_BYTES and member.file_size > MAX_RATIO * max(member.compress_size, 1):
            raise error(
                "an archive that unpacks to far more than it is (a zip bomb?)",
                where=f"{path}: {member.filename:.200}",
                expected=f"at most {MAX_RATIO} times its packed size",
                found=f"{member.compress_size:,} bytes that become {member.file_size:,}",
            )


#: How packed files begin, and what unpacks them. joblib's other packer, lz4, is no part of Python.
_UNPACKERS: Final[dict[bytes, Callable[[], Any]]] = {
    **dict.fromkeys((b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), zlib.decompressobj),
    b"\x1f\x8b": lambda: zlib.decompressobj(wbits=31),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ": lzma.LZMADecompressor,
    b"\x5d\x00\x00": lzma.LZMADecompressor,
}
#: Little at a time: bzip2 makes 45,000 bytes of one.
_READ_BYTES: Final = 4096


def check_packed(path: Path) -> None:
    """Unpack a packed file without keeping anything; `SourceModelError` once it is far more than it was.

    One that is damaged is left to its reader.
    """
    with path.open("rb") as file:
        head = file.read(8)
        make = next((make for magic, make in _UNPACKERS.items() if head.startswith(magic)), None)
        if make is None:
            return
        file.seek(0)
        unpacker, read, total = make(), 0, 0
        try:
            while not unpacker.eof and (data := file.read(_READ_BYTES)):
                read += len(data)
                total += len(unpacker.decompress(data))
                if total > SMALL_BYTES and total > MAX_RATIO * read:
                    raise SourceModelError(
                        "a packed file that unpacks to far more than it is",
                        where=str(path),
                        expected=f"at most {MAX_RATIO} times its packed size",
                        found=f"{read:,} bytes that become {total:,}, and more to come" if not unpacker.eof else f"{read:,} that become {total:,}",
                    )
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
            return
