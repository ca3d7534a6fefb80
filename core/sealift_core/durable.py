"""Writes that survive a power cut: a temporary file beside the target, fsync, rename, fsync of the directory; on any file system, media too.

Whoever reads the target sees the old bytes or the new ones, never a mixture, whatever happens in between.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from sealift_core import beneath
from sealift_core.errors import DiskFullError, IntegrityError, StoreError

#: SQLite wants this much beside the database for its shared memory, and calls it an I/O error if it doesn't get it.
_DATABASE_ROOM_BYTES: Final = 64 * 1024
#: Everybody may read it, and nobody can run it.
PUBLIC_MODE: Final = 0o644
#: Its owner alone may read or write it.
PRIVATE_MODE: Final = 0o600
#: ``ioctl(target, FICLONE, source)``: share the blocks until one of both is written (man 2 ioctl_ficlone).
_FICLONE: Final = 0x40049409
_READ_ONLY: Final = "Mount it writable. A stick may have a switch against writing, and Linux mounts a damaged file system read-only."
#: What a file system without permissions, or without a sync of folders, answers to a request for it.
_NOT_HERE: Final = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL})


@contextlib.contextmanager
def translate_full_disk(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` about a full disk into `DiskFullError`; others pass.

    Args:
        path: What errors name.

    Yields:
        Nothing.

    Raises:
        DiskFullError: If the block fails for lack of room, or because a file is too large.
        OSError: If it fails for another reason.
    """  # noqa: DOC501  (`too_large` makes a DiskFullError)
    try:
        yield
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise too_large(path) from error
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFullError(
            f"the disk is full ({error.strerror})", where=str(path), advice="Free some space and try again; nothing half-written was kept."
        ) from error


@contextlib.contextmanager
def translate_disk_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` into an error of ours.

    Args:
        path: What errors name.

    Yields:
        Nothing.

    Raises:
        DiskFullError: If the block fails for lack of room.
        StoreError: If it fails with another ``OSError``.
    """
    try:
        with translate_full_disk(path):
            yield
    except OSError as error:
        advice = _READ_ONLY if error.errno == errno.EROFS else None
        raise StoreError(f"can't be written ({error.strerror})", where=str(path), advice=advice) from error


def database_lacks_room(error: Exception, path: Path) -> bool:
    """Tell whether SQLite's error about a database comes from a full disk.

    Args:
        error: The error.
        path: The database's file.

    Returns:
        True if the disk is full, or has too little room for SQLite's shared memory.
    """
    name = getattr(error, "sqlite_errorname", None) or ""
    if not name.startswith("SQLITE_IOERR"):
        return name == "SQLITE_FULL"
    disk = os.statvfs(path.parent)
    return disk.f_bavail * disk.f_frsize < _DATABASE_ROOM_BYTES


@contextlib.contextmanager
def replacing(target: Path, *, mode: int = PUBLIC_MODE, folder: int | None = None) -> Iterator[BinaryIO]:
    """Write a file that becomes the target, durably, when the block ends without an error. If it fails, nothing else is left.

    Args:
        target: The file to make or replace; without ``folder``, its folders are made.
        mode: The target's permissions.
        folder: The descriptor of the folder that the target is in, where its path isn't to be followed again (see `beneath.open_folder`).

    Yields:
        The file to write to, which can be read too.

    Raises:
        DiskFullError: If there is no room; the target is as it was.
        StoreError: If it can't be written for another reason; the target is as it was.
    """
    with translate_disk_errors(target), _folder_of(target, folder) as place:
        temporary = f".{target.name[:100]}.{secrets.token_hex(6)}.partial"
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=place)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
                file.flush()
                _permit_new(file.fileno(), mode)
                os.fsync(file.fileno())
            os.replace(temporary, target.name, src_dir_fd=place, dst_dir_fd=place)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=place)
            raise
        _sync_entries(place)


def permit(descriptor: int, mode: int) -> None:
    """Give an open file its permissions, where there are any: a medium may have none (FAT, exFAT), or hold only files of another user.

    Args:
        descriptor: The file's descriptor.
        mode: The permissions that it is to have. Only a file that others mustn't read can't do without.

    Raises:
        OSError: If others can read or write what they mustn't, and that can't be changed.
    """
    if stat.S_IMODE(os.fstat(descriptor).st_mode) == mode:
        return
    try:
        os.fchmod(descriptor, mode)
    except OSError as error:
        if not mode & 0o077 or error.errno not in _NOT_HERE:
            raise


def _permit_new(descriptor: int, mode: int) -> None:
    """`permit` for a file that was just made with this mode, if it lacks a permission; what it has beyond that, a file system gave that has none."""
    if mode & ~os.fstat(descriptor).st_mode or not mode & 0o077:
        permit(descriptor, mode)


def too_large(path: Path, size_bytes: int | None = None) -> DiskFullError:
    """Say that a file system takes no file so large.

    Args:
        path: What the error names.
        size_bytes: How large the file is, if that is known.

    Returns:
        The error.
    """
    found = None if size_bytes is None else f"a file of {size_bytes:,} bytes"
    advice = "FAT32 holds files below 4 GiB; format the medium as exFAT or ext4. A limit of this process (ulimit -f) may also be the cause."
    return DiskFullError("the file is too large for this file system", where=str(path), found=found, advice=advice)


@contextlib.contextmanager
def _folder_of(target: Path, folder: int | None) -> Iterator[int]:
    """A descriptor of the target's folder that can be synced, which one with O_PATH can't."""
    if folder is None:
        target.parent.mkdir(parents=True, exist_ok=True)
    place = os.open(target.parent if folder is None else ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield place
    finally:
        os.close(place)


def write_bytes(target: Path, data: bytes, *, mode: int = PUBLIC_MODE, folder: int | None = None) -> None:
    """Make a file hold some bytes, durably and atomically.

    Args:
        target: The file to make or replace.
        data: What it is to hold.
        mode: Its permissions.
        folder: The descriptor of the folder that it is in, as in `replacing`.

    Raises:
        DiskFullError: If there is no room; the target is as it was.
        StoreError: If it can't be written for another reason; the target is as it was.
    """
    with replacing(target, mode=mode, folder=folder) as file:
        file.write(data)


def copy(source: io.BufferedReader, target: Path, *, size_bytes: int, sha256: str | None, where: str) -> None:
    """Make a durable copy of an open file; they share unchanged blocks where the file system can do that, and nothing else.

    It is the copy that must have the size and the digest, so nothing that happens to the source meanwhile matters. Everybody may read it, and nobody
    can run it.

    Args:
        source: The open file, at its beginning.
        target: The file to make or replace.
        size_bytes: The size that the copy must have.
        sha256: The digest that it must have, as 64 hex digits; None for any.
        where: What errors call the source.

    Raises:
        IntegrityError: If the copy has another size or digest; the target is as it was.
        DiskFullError: If there is no room; the target is as it was.
        StoreError: If it can't be written for another reason; the target is as it was.
    """
    if beneath.size_bytes(source) != size_bytes:
        beneath.hash_open(source, size_bytes, where=where)  # says so
    with replacing(target) as writer:
        if not _clone(source, writer):
            left = size_bytes + 1
            while chunk := source.read(min(beneath.CHUNK_BYTES, left)):
                writer.write(chunk)
                left -= len(chunk)
        writer.flush()
        with open(writer.fileno(), "rb", closefd=False) as copied:
            copied.seek(0)
            digest = beneath.hash_open(copied, size_bytes, where=where)
        if sha256 is not None and digest != sha256:
            raise IntegrityError("the content was changed", where=where, expected=f"sha256:{sha256}", found=f"sha256:{digest}")


def _clone(source: io.BufferedReader, target: BinaryIO) -> bool:
    """Whether the file system made ``target`` share the blocks of ``source``."""
    try:
        fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
    except OSError:
        return False
    return True


def write_new(target: Path, data: bytes, *, mode: int = PUBLIC_MODE) -> None:
    """Make a new file, durably: for keys, which are never replaced. A power cut may leave a part of the file.

    Args:
        target: The file to make; its folders are made.
        data: What it is to hold.
        mode: Its permissions.

    Raises:
        StoreError: If anything, a link too, is there, which stays as it is, or if it can't be written.
        DiskFullError: If there is no room.
    """
    with translate_disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        except FileExistsError as error:
            raise StoreError("a file with this name exists, and is not overwritten", where=str(target), advice="Choose another name.") from error
        _fill(target, descriptor, data)


def _fill(target: Path, descriptor: int, data: bytes) -> None:
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)


def sync_directory(directory: Path) -> None:
    """Make the entries of a directory (names, renames, removals) durable.

    Args:
        directory: The directory.

    Raises:
        OSError: If it can't be opened or synced.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _sync_entries(descriptor)
    finally:
        os.close(descriptor)


def _sync_entries(descriptor: int) -> None:
    """Make the entries of an open folder durable, where the file system can: a network share may have no such request."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_HERE - {errno.EPERM}:
            raise


def sync_tree(directory: Path) -> None:
    """Make a directory with all its files and folders durable.

    Args:
        directory: The directory; its files must be closed.

    Raises:
        OSError: If a file can't be opened or synced.
    """
    for folder, _, names in os.walk(directory):
        for name in names:
            descriptor = os.open(Path(folder, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(Path(folder))
