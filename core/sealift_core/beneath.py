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
_LINK_ADVICE: Final = "A link may lead anywhere. If you trust where it leads, copy the folder with its links followed (cp -rL)."
_ROOT: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER: Final = _ROOT | os.O_NOFOLLOW
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@contextlib.contextmanager
def open_folder(root: Path, *names: str, create: bool = False) -> Iterator[int]:
    """The descriptor of the folder at ``names`` beneath ``root``, for ``dir_fd``; with ``create``, missing folders are made.

    Raises `IntegrityError` for a link or anything else that isn't a folder, ``OSError`` otherwise.
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
            raise _not("a folder of its own", _kind_of(folder, name), str(where)) from error
        raise


def open_file(root: Path, *names: str) -> io.BufferedReader:
    """The regular file at ``names`` beneath ``root``, to read.

    Raises `IntegrityError` for a link, a pipe, a device or a folder anywhere on the way, ``OSError`` otherwise.
    """
    with open_folder(root, *names[:-1]) as folder:
        return open_in(folder, names[-1], where=str(root.joinpath(*names)))


def open_in(folder: int, name: str, *, where: str) -> io.BufferedReader:
    """The regular file ``name`` in a folder that is open already; errors as `open_file`."""
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
    """The sorted names in a folder that is open already."""
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return sorted(os.listdir(readable))  # noqa: PTH208  # a descriptor, which pathlib has no use for
    finally:
        os.close(readable)


def is_file(root: Path, *names: str) -> bool:
    """Whether a regular file is at ``names`` beneath ``root``, by no link."""
    try:
        with open_folder(root, *names[:-1]) as folder:
            return stat.S_ISREG(os.stat(names[-1], dir_fd=folder, follow_symlinks=False).st_mode)
    except (OSError, IntegrityError):
        return False


def size_bytes(file: io.BufferedReader) -> int:
    """The size of an open file."""
    return os.fstat(file.fileno()).st_size


def read_open(file: io.BufferedReader, max_bytes: int, *, where: str) -> bytes:
    """An open file's content; `LimitError` for one of more than ``max_bytes``: before it is read, or as soon as it has grown so far."""
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
    """The content of a file that a person named, or that is our own: links are followed; `LimitError` as `read_open`, else ``OSError``."""
    with path.open("rb") as file:
        return read_open(file, max_bytes, where=where or str(path))


def read_exactly(file: io.BufferedReader, expected_bytes: int, *, where: str) -> bytes:
    """The content of an open file of exactly so many bytes; `IntegrityError` for another size, before a byte is read."""
    size = size_bytes(file)
    if size != expected_bytes:
        raise _other_size(expected_bytes, size, where)
    return read_open(file, expected_bytes, where=where)


def hash_open(file: io.BufferedReader, expected_bytes: int, *, where: str) -> str:
    """The sha256 (hex) of an open file of exactly so many bytes; `IntegrityError` for another size, before a byte is read."""
    size = size_bytes(file)
    if size != expected_bytes:
        raise _other_size(expected_bytes, size, where)
    digest, read = hash_rest(file, expected_bytes + 1)
    if read != expected_bytes:
        raise _other_size(expected_bytes, f"at least {read}" if read > expected_bytes else read, where)
    return digest


def hash_rest(file: io.BufferedReader, max_bytes: int | None = None) -> tuple[str, int]:
    """The sha256 (hex) of what is left to read of a binary file, or of ``max_bytes`` of it; and how many bytes that were.

    By OpenSSL, which uses a processor's own instructions for it, and without the interpreter's lock: another thread can load meanwhile. Not by a
    memory map, where a disk's error or a file that shrinks would end the process.
    """
    hasher, piece, read = hashlib.sha256(), memoryview(bytearray(HASH_BYTES)), 0
    while size := file.readinto(piece if max_bytes is None else piece[: max_bytes - read]):
        hasher.update(piece[:size])
        read += size
    return hasher.hexdigest(), read


def _other_size(expected: int, found: int | str, where: str) -> IntegrityError:
    return IntegrityError("the content was changed", where=where, expected=f"{expected} bytes", found=f"{found} bytes")


def _check_regular(status: os.stat_result, where: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _not("a regular file", _kind(status.st_mode), where)


def _not(expected: str, found: str, where: str) -> IntegrityError:
    return IntegrityError(f"not {expected}", where=where, found=found, advice=_LINK_ADVICE if found == _LINK else None)


def _kind_of(folder: int, name: str) -> str:
    try:
        return _kind(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError as error:
        return str(error.strerror)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: _LINK, stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFREG: "a file"}
    return kinds.get(stat.S_IFMT(mode), "a device")
