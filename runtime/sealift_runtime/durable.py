"""Writes that survive a power cut: a temporary file beside the target, fsync, rename, fsync of the directory.

Whoever reads the target sees the old bytes or the new ones, never a mixture, whatever happens in between.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from sealift_runtime.errors import DiskFullError, StoreError

#: SQLite wants this much beside the database for its shared memory, and calls it an I/O error if it doesn't get it.
_DATABASE_ROOM_BYTES: Final = 64 * 1024


@contextlib.contextmanager
def translate_full_disk(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` that says that there is no room at ``path`` into `DiskFullError`; others pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise DiskFullError(
            f"the disk is full ({error.strerror})", where=str(path), advice="Free some space and try again; nothing half-written was kept."
        ) from error


@contextlib.contextmanager
def translate_disk_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` about ``path`` into `DiskFullError` or `StoreError`."""
    try:
        with translate_full_disk(path):
            yield
    except OSError as error:
        raise StoreError(f"can't be written ({error.strerror})", where=str(path)) from error


def database_lacks_room(error: Exception, path: Path) -> bool:
    """Whether SQLite's error about the database at ``path`` comes from a full disk."""
    name = getattr(error, "sqlite_errorname", None) or ""
    if not name.startswith("SQLITE_IOERR"):
        return name == "SQLITE_FULL"
    disk = os.statvfs(path.parent)
    return disk.f_bavail * disk.f_frsize < _DATABASE_ROOM_BYTES


@contextlib.contextmanager
def replacing(target: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """A file to write to that becomes ``target``, durably, when the block ends without an error.

    Raises `DiskFullError` or `StoreError`; then ``target`` is as it was and nothing else is left.
    """
    with translate_disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".partial")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_directory(target.parent)


def write_bytes(target: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Make ``target`` hold ``data``, durably and atomically."""
    with replacing(target, mode=mode) as file:
        file.write(data)


def sync_directory(directory: Path) -> None:
    """Make the entries of ``directory`` (names, renames, removals) durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Make a directory with all its files and folders durable; the files must be closed."""
    for folder, _, names in os.walk(directory):
        for name in names:
            descriptor = os.open(Path(folder, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(Path(folder))
