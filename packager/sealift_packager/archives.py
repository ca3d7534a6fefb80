"""Zip archives from outside (``.npz``, ``.pt``, ``.pt2``, ``.skops``): what they say they hold is bounded before any of it is read."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

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
