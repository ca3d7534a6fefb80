"""Files from a directory: a medium, a mounted share, a repository on the same disk.

Links are resolved first, and the real path is then opened name by name from the root, following none: what was swapped in between is
refused (see `beneath`).
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sealift_core import beneath
from sealift_core.errors import IntegrityError, NotFoundError, TransportError
from sealift_runtime.transport.base import CHUNK_BYTES, check_size, split_path

_LOG: Final = logging.getLogger("sealift.transport")


class DirectoryTransport:
    """A `Transport` over a directory. Symbolic links may stay inside of it; one that leaves is refused."""

    def __init__(self, root: Path) -> None:
        """Prepare a transport; the directory isn't looked at yet.

        Args:
            root: The directory that paths are relative to.
        """
        self._root = root

    def describe(self) -> str:
        """Name the directory's path."""
        return str(self._root)

    @contextlib.contextmanager
    def open(self, path: str, offset: int = 0, *, max_bytes: int | None = None) -> Iterator[Iterator[bytes]]:
        """Open a file; see `Transport.open`.

        Args:
            path: The file's path, relative, with ``/`` between its segments.
            offset: The byte to begin with.
            max_bytes: The most bytes that the whole file may have; None for any number.

        Yields:
            The bytes from ``offset`` on, in chunks.

        Raises:
            NotFoundError: If there is no such file.
            TransportError: If it can't be read, a link leaves the directory, or ``offset`` is behind its end.
            OversizedError: If the whole file is larger than ``max_bytes``.
        """
        _LOG.debug("Reading %s%s", self._root / path, f" from byte {offset}" if offset else "")
        file = self._open(path)
        with file:
            size = beneath.size_bytes(file)
            check_size(size, max_bytes, str(self._root / path))
            if offset > size:
                raise TransportError("the file is shorter than what was already read", where=str(self._root / path), found=f"{size} bytes")
            file.seek(offset)
            yield self._chunks(file, path)

    def _open(self, path: str) -> io.BufferedReader:
        root, names = self._locate(path)
        try:
            return beneath.open_file(root, *names)
        except IntegrityError as error:
            raise NotFoundError("not a file", where=str(self._root / path), found=error.found) from error
        except OSError as error:
            raise TransportError(f"can't be read ({error.strerror})", where=str(self._root / path)) from error

    def _locate(self, path: str) -> tuple[Path, tuple[str, ...]]:
        """The real root, and the names that lead from there to the real place of a path, which is inside of it."""
        segments = split_path(path)
        try:
            root = self._root.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise TransportError("no such directory", where=str(self._root), advice="Check that the medium is plugged in and mounted.") from error
        try:
            target = root.joinpath(*segments).resolve(strict=True)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError("no such file", where=str(self._root / path)) from error
        except (OSError, RuntimeError) as error:
            raise TransportError(f"can't be read, caused by: {error}", where=str(self._root / path)) from error
        if not target.is_relative_to(root):
            raise TransportError("a symbolic link points outside the directory", where=str(self._root / path), found=str(target))
        return root, target.relative_to(root).parts

    def _chunks(self, file: io.BufferedReader, path: str) -> Iterator[bytes]:
        try:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
        except OSError as error:
            raise TransportError(f"can't be read ({error.strerror})", where=str(self._root / path)) from error
