"""Files that somebody else wrote: regular files only, by no link, and no further than expected.

A path is walked from a folder that a person named (which may itself be a link), one name at a time, each relative to the folder
opened before. So what is checked is what is read, whatever is renamed or swapped meanwhile; a pipe or a device blocks nobody.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sealift_core.errors import IntegrityError, LimitError

CHUNK_BYTES: Final = 1024 * 1024
#: Stays in a processor's cache between reading and hashing, which is a tenth faster than a new piece of a megabyte each time.
HASH_BYTES: Final = 256 * 1024
_LINK: Final = "a symbolic link"
_LINK_ADVICE: Final = "A link may lead anywhere. If you trust its target, copy the folder with its links followed (cp -rL)."
_ROOT: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER: Final = _ROOT | os.O_NOFOLLOW
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@contextlib.contextmanager
def open_folder(root: Path, *names: str, create: bool = False) -> Iterator[int]:
    """Open a folder, walking down one name at a time by no link.

    Args:
        root: A folder that a person named, which may be a link itself.
        *names: The names of the folders beneath it.
        create: Whether missing folders are made.

    Yields:
        The folder's descriptor, for ``dir_fd``; it is closed on leaving the block.

    Raises:
        IntegrityError: If a name is a link or anything else that isn't a folder.
        OSError: If it can't be opened for another reason.
    """
    where, folder = root, os.open(root, _ROOT)
    try:
        for name in names:
            where = where / name
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=folder)
            folder, previous = _step(folder, name, where), folder
            os.close(previous)
        yield folder
    finally:
        os.close(folder)


def _step(folder: int, name: str, where: Path) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise _not("a folder of its own", _file_type_of(folder, name), str(where)) from error
        raise


def open_file(root: Path, *names: str) -> io.BufferedReader:
    """Open a regular file, walking down one name at a time by no link.

    Args:
        root: A folder that a person named, which may be a link itself.
        *names: The names of the folders beneath it, and the file's; at least one.

    Returns:
        The open file; the caller closes it.

    Raises:
        IntegrityError: If a link, a pipe, a device or a folder is in the way.
        OSError: If it can't be opened for another reason.
    """
    with open_folder(root, *names[:-1]) as folder:
        return open_in(folder, names[-1], where=str(root.joinpath(*names)))


def open_in(folder: int, name: str, *, where: str) -> io.BufferedReader:
    """Open a regular file in a folder that is open already.

    Args:
        folder: The folder's descriptor.
        name: The file's name in it.
        where: What errors call the file.

    Returns:
        The open file; the caller closes it.

    Raises:
        IntegrityError: If it is a link, a pipe, a device or a folder.
        OSError: If it can't be opened for another reason.
    """  # noqa: DOC501  (`_not` makes an IntegrityError; the others are raised again)
    _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=False), where)  # opening a device may already do something
    try:
        descriptor = os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:  # swapped a moment ago
            raise _not("a regular file", _LINK, where) from error
        raise
    try:
        _check_regular(os.fstat(descriptor), where)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def names_in(folder: int) -> list[str]:
    """List a folder that is open already.

    Args:
        folder: The folder's descriptor.

    Returns:
        The sorted names in it.

    Raises:
        OSError: If it can't be read.
    """
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return sorted(os.listdir(readable))  # noqa: PTH208  # a descriptor, which pathlib has no use for
    finally:
        os.close(readable)


def is_file(root: Path, *names: str) -> bool:
    """Tell whether there is a regular file, by no link.

    Args:
        root: A folder that a person named, which may be a link itself.
        *names: The names of the folders beneath it, and the file's; at least one.

    Returns:
        True if there is.
    """
    try:
        with open_folder(root, *names[:-1]) as folder:
            return stat.S_ISREG(os.stat(names[-1], dir_fd=folder, follow_symlinks=False).st_mode)
    except (OSError, IntegrityError):
        return False


def size_bytes(file: io.BufferedReader) -> int:
    """Ask for the size of an open file.

    Args:
        file: The file.

    Returns:
        Its size in bytes.
    """
    return os.fstat(file.fileno()).st_size


def read_open(file: io.BufferedReader, max_bytes: int, *, where: str) -> bytes:
    """Read an open file, bounded.

    Args:
        file: The file.
        max_bytes: The most bytes that it may have.
        where: What errors call it.

    Returns:
        Its content.

    Raises:
        LimitError: If it is larger: before it is read, or as soon as it has grown so far.
        OSError: If it can't be read.
    """
    size = size_bytes(file)
    if size > max_bytes:
        raise LimitError("too large", where=where, expected=f"at most {max_bytes} bytes", found=f"{size} bytes")
    data = bytearray()
    while chunk := file.read(min(CHUNK_BYTES, max_bytes + 1 - len(data))):
        data += chunk
        if len(data) > max_bytes:
            raise LimitError("too large", where=where, expected=f"at most {max_bytes} bytes")
    return bytes(data)


def read_bounded(path: Path, max_bytes: int, *, where: str | None = None) -> bytes:
    """Read a file that a person named, or that is our own: links are followed.

    Args:
        path: The file.
        max_bytes: The most bytes that it may have.
        where: What errors call it; its path by default.

    Returns:
        Its content.

    Raises:
        LimitError: If it is larger.
        OSError: If it can't be read.
    """
    with path.open("rb") as file:
        return read_open(file, max_bytes, where=where or str(path))


def read_own(path: Path, max_bytes: int) -> bytes:
    """Read a file that Sealift itself keeps: links are followed, and a pipe or a device in its place keeps nobody waiting.

    Args:
        path: The file.
        max_bytes: The most bytes that it may have.

    Returns:
        Its content.

    Raises:
        IntegrityError: If it is no regular file.
        LimitError: If it is larger.
        OSError: If it can't be read.
    """
    _check_regular(path.stat(), str(path))  # opening a device may already do something
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        _check_regular(os.fstat(descriptor), str(path))
        return read_open(file, max_bytes, where=str(path))


def read_exactly(file: io.BufferedReader, expected_bytes: int, *, where: str) -> bytes:
    """Read an open file of a known size.

    Args:
        file: The file.
        expected_bytes: The size that it must have.
        where: What errors call it.

    Returns:
        Its content.

    Raises:
        IntegrityError: If it has another size, which is noticed before a byte is read.
        LimitError: If it grows while it is read.
        OSError: If it can't be read.
    """  # noqa: DOC501  (`_other_size` makes an IntegrityError)
    size = size_bytes(file)
    if size != expected_bytes:
        raise _other_size(expected_bytes, size, where)
    return read_open(file, expected_bytes, where=where)


def hash_open(file: io.BufferedReader, expected_bytes: int, *, where: str) -> str:
    """Hash an open file of a known size.

    Args:
        file: The file.
        expected_bytes: The size that it must have.
        where: What errors call it.

    Returns:
        Its sha256 as 64 hex digits.

    Raises:
        IntegrityError: If it has another size, which is noticed before a byte is read, or changes its size meanwhile.
        OSError: If it can't be read.
    """  # noqa: DOC501  (`_other_size` makes an IntegrityError)
    size = size_bytes(file)
    if size != expected_bytes:
        raise _other_size(expected_bytes, size, where)
    digest, read = hash_rest(file, expected_bytes + 1)
    if read != expected_bytes:
        raise _other_size(expected_bytes, f"at least {read}" if read > expected_bytes else read, where)
    return digest


def hash_rest(file: io.BufferedReader, max_bytes: int | None = None) -> tuple[str, int]:
    """Hash what is left to read of a binary file.

    By OpenSSL, which uses a processor's own instructions for it, and without the interpreter's lock: another thread can load meanwhile. Not by a
    memory map, where a disk's error or a file that shrinks would end the process.

    Args:
        file: The file.
        max_bytes: The most bytes to hash; None for all.

    Returns:
        The sha256 as 64 hex digits, and how many bytes were hashed.

    Raises:
        OSError: If it can't be read.
    """
    hasher, piece, read = hashlib.sha256(), memoryview(bytearray(HASH_BYTES)), 0
    while size := file.readinto(piece if max_bytes is None else piece[: max_bytes - read]):
        hasher.update(piece[:size])
        read += size
    return hasher.hexdigest(), read


def _other_size(expected: int, actual: int | str, where: str) -> IntegrityError:
    return IntegrityError("the content was changed", where=where, expected=f"{expected} bytes", found=f"{actual} bytes")


def _check_regular(status: os.stat_result, where: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _not("a regular file", _file_type(status.st_mode), where)


def _not(expected: str, actual: str, where: str) -> IntegrityError:
    return IntegrityError(f"not {expected}", where=where, found=actual, advice=_LINK_ADVICE if actual == _LINK else None)


def _file_type_of(folder: int, name: str) -> str:
    try:
        return _file_type(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError as error:
        return str(error.strerror)


def _file_type(mode: int) -> str:
    names = {stat.S_IFLNK: _LINK, stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFREG: "a file"}
    return names.get(stat.S_IFMT(mode), "a device")
