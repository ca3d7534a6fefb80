"""Our own copy of a file from outside: it is opened once, and everything afterwards reads what was read then.

A path can lead to another file the next time it is opened, and a file can be written to while it is read. A copy in a folder of ours can't.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from sealift_core import durable
from sealift_core.bundle.digest import Digest
from sealift_core.errors import SealiftError
from sealift_packager.archives.directory import Names
from sealift_packager.archives.fresh import write_fresh
from sealift_packager.archives.limits import CHUNK_BYTES, MAX_BYTES
from sealift_packager.archives.refusals import ARRAYS, WHOLE_ZIP, Refusals
from sealift_packager.errors import PackagerError

#: How every zip archive begins, an empty one too.
ARCHIVE: Final = (b"PK\x03\x04", b"PK\x05\x06")
_PARTS: Final = ("message", "where", "expected", "found", "advice")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnCopy:
    """``path`` is the copy, ``digest`` that of the file itself: an ``archive`` is written anew (`fresh`), everything else is copied as it is."""

    path: Path
    digest: Digest
    archive: bool


def own_folder(parent: Path | None) -> Path:
    """A new folder that is ours alone, in ``parent`` or where temporary files go; raises ``OSError``."""
    return Path(tempfile.mkdtemp(prefix="own.", dir=parent)).resolve()


@contextlib.contextmanager
def open_plain(path: Path, error: type[PackagerError], *, follow: bool = True, inside: int | None = None) -> Iterator[IO[bytes]]:
    """A plain file, opened for reading without waiting for anybody; ``error`` for anything else, and for a link that isn't to be followed.

    ``inside`` is the descriptor of the folder that a relative path starts in.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    try:
        descriptor = os.open(path, flags, dir_fd=inside)
    except OSError as reason:
        raise error(f"the file can't be read ({reason.strerror})", where=str(path)) from reason
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise error("not a plain file", where=str(path), expected="a file")
        yield file


def copy_plain(file: IO[bytes], target: Path, refusals: Refusals) -> Digest:
    """Copy as many bytes as the file has now; the digest is theirs."""
    left = os.fstat(file.fileno()).st_size
    if left > MAX_BYTES:
        raise refusals.of("the file is too large", expected=f"at most {MAX_BYTES >> 30} GiB", found=f"{left:,} bytes", advice="")
    total = hashlib.sha256()
    with target.open("xb") as out:
        while left:
            chunk = file.read(min(left, CHUNK_BYTES))
            if not chunk:
                raise refusals.changed()
            left -= len(chunk)
            total.update(chunk)
            out.write(chunk)
    return Digest(total.hexdigest())


def take(path: Path, folder: Path, error: type[PackagerError], names: Names = Names.PATHS) -> OwnCopy:
    """Copy the file into ``folder``, which is ours, under its own name; an archive strictly (see `directory`). ``error`` where it can't be."""
    whole = WHOLE_ZIP if names is Names.PATHS else ARRAYS
    target, refusals = folder / path.name, Refusals(where=str(path), error=error, expected=whole)
    with open_plain(path, error) as file, durable.translate_full_disk(folder):
        is_archive = file.read(4) in ARCHIVE
        file.seek(0)
        digest = write_fresh(file, target, refusals, names) if is_archive else copy_plain(file, target, refusals)
    return OwnCopy(path=target, digest=digest, archive=is_archive)


@contextlib.contextmanager
def taken(path: Path, parent: Path | None, error: type[PackagerError], names: Names = Names.PATHS) -> Iterator[OwnCopy]:
    """A copy of the file that is there within the block; errors in it name the file, not the copy."""
    folder = own_folder(parent)
    try:
        with translate_paths(path.parent, folder):
            yield take(path, folder, error, names)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def translate_paths(original: Path, folder: Path) -> Iterator[None]:
    """Errors of ours that the block raises name files in the folder ``original`` where they would name copies in ``folder``."""
    try:
        yield
    except SealiftError as error:
        for part in _PARTS:
            text = getattr(error, part)
            if text:
                setattr(error, part, text.replace(str(folder) + os.sep, "" if original == Path() else f"{original}{os.sep}"))
        raise
