"""What a transport is: it opens a relative path at an offset and gives the bytes from there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final, Protocol

from sealift_core.errors import LimitError, TransportError

CHUNK_BYTES: Final = 1024 * 1024
MAX_PATH_CHARACTERS: Final = 1000


class Transport(Protocol):
    """A place with files. Paths are relative, with ``/`` between their segments."""

    def open(self, path: str, offset: int = 0, *, max_bytes: int | None = None) -> AbstractContextManager[Iterator[bytes]]:
        """The bytes of a file from ``offset`` on, in chunks; nothing if it ends there.

        Raises `NotFoundError` if there is no such file, `TransportError` if it can't be brought; the latter also while
        the chunks are read. A body that is cut off is an error, never a short file. `LimitError` if the whole file is known to be larger
        than ``max_bytes`` before its bytes come; one that doesn't say its size is for the reader to bound.
        """

    def describe(self) -> str:
        """The place in words, for messages; without secrets."""


def split_path(path: str) -> tuple[str, ...]:
    """The segments of a relative path; `TransportError` for one that could leave its root or name something else."""
    segments = tuple(path.split("/"))
    plain = path.isprintable() and "\\" not in path and len(path) <= MAX_PATH_CHARACTERS
    if not plain or any(segment in ("", ".", "..") for segment in segments):
        raise TransportError("not a safe path", where=repr(path[:200]), expected="segments between single slashes, none of them . or ..")
    return segments


def check_size(found: int, max_bytes: int | None, where: str) -> None:
    """Raise `LimitError` for a file of more than ``max_bytes``."""
    if max_bytes is not None and found > max_bytes:
        raise LimitError("too large", where=where, expected=f"at most {max_bytes} bytes", found=f"{found} bytes")


def read_bounded(transport: Transport, path: str, max_bytes: int) -> bytes:
    """A whole file of at most ``max_bytes``; `LimitError` as soon as it is larger, else as `Transport.open`."""
    data = bytearray()
    with transport.open(path, max_bytes=max_bytes) as chunks:
        for chunk in chunks:
            data += chunk
            if len(data) > max_bytes:
                raise LimitError("too large", where=f"{transport.describe()}: {path}", expected=f"at most {max_bytes} bytes")
    return bytes(data)
