"""What a transport is: it opens a relative path at an offset and gives the bytes from there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final, Protocol

from sealift_core.errors import OversizedError, TransportError

CHUNK_BYTES: Final = 1024 * 1024
MAX_PATH_CHARACTERS: Final = 1000


class Transport(Protocol):
    """A place with files. Paths are relative, with ``/`` between their segments."""

    def open(self, path: str, offset: int = 0, *, max_bytes: int | None = None) -> AbstractContextManager[Iterator[bytes]]:
        """Open a file.

        A body that is cut off is an error, never a short file. A file that doesn't say its size is for the reader to bound.

        Args:
            path: The file's path, relative, with ``/`` between its segments.
            offset: The byte to begin with.
            max_bytes: The most bytes that the whole file may have; None for any number.

        Returns:
            A context manager, which gives the bytes from ``offset`` on, in chunks; nothing if the file ends there.

        Raises:
            NotFoundError: If there is no such file.
            TransportError: If it can't be fetched; also while the chunks are read.
            OversizedError: If the whole file is known to be larger than ``max_bytes`` before its bytes come.
        """

    def describe(self) -> str:
        """Name the place in words, for messages; without secrets."""


def split_path(path: str) -> tuple[str, ...]:
    """Split a relative path.

    Args:
        path: The path, with ``/`` between its segments.

    Returns:
        Its segments.

    Raises:
        TransportError: If it could leave its root or name something else.
    """
    segments = tuple(path.split("/"))
    plain = path.isprintable() and "\\" not in path and len(path) <= MAX_PATH_CHARACTERS
    if not plain or any(segment in ("", ".", "..") for segment in segments):
        raise TransportError("not a safe path", where=repr(path[:200]), expected="segments between single slashes, none of them . or ..")
    return segments


def check_size(size_bytes: int, max_bytes: int | None, where: str) -> None:
    """Check a file's size against a bound.

    Args:
        size_bytes: The whole file's size.
        max_bytes: The most that it may be; None for any.
        where: What errors call the file.

    Raises:
        OversizedError: If it is larger.
    """
    if max_bytes is not None and size_bytes > max_bytes:
        raise OversizedError("too large", where=where, expected=f"at most {max_bytes} bytes", found=f"{size_bytes} bytes")


def read_bounded(transport: Transport, path: str, max_bytes: int) -> bytes:
    """Read a whole small file.

    Args:
        transport: Where it is.
        path: The file's path, relative, with ``/`` between its segments.
        max_bytes: The most bytes that it may have.

    Returns:
        Its content.

    Raises:
        NotFoundError: If there is no such file.
        TransportError: If it can't be fetched.
        OversizedError: If it is larger, as soon as that is known.
    """
    data = bytearray()
    with transport.open(path, max_bytes=max_bytes) as chunks:
        for chunk in chunks:
            data += chunk
            if len(data) > max_bytes:
                raise OversizedError("too large", where=f"{transport.describe()}: {path}", expected=f"at most {max_bytes} bytes")
    return bytes(data)
