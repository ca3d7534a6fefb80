"""The cache directory: entries by key, each written whole or not at all, the least recently used thrown out when there are too many bytes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from sealift_core import durable
from sealift_core.errors import StoreError
from sealift_packager.cache.place import private_folder, read_private
from sealift_packager.errors import PackagerError

VARIABLE: Final = "SEALIFT_CACHE"
LIMIT_VARIABLE: Final = "SEALIFT_CACHE_BYTES"
DEFAULT_LIMIT_BYTES: Final = 5 * 2**30
_SUFFIX: Final = ".stage"


class Store(Protocol):
    """Where results of earlier builds are kept: entries by key."""

    def read(self, key: str) -> bytes | None:
        """Read an entry.

        Args:
            key: The entry's key.

        Returns:
            Its bytes; None if there is none.
        """

    def write(self, key: str, data: bytes) -> None:
        """Keep an entry, if that can be.

        Args:
            key: The entry's key.
            data: Its bytes.
        """

    def discard(self, key: str) -> None:
        """Throw an entry out, if it is there.

        Args:
            key: The entry's key.
        """


class StageStore:
    """Entries in a directory, the least recently used thrown out when there are too many bytes."""

    def __init__(self, directory: Path, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        """Take a directory, which needn't be there yet.

        Args:
            directory: The directory, which must be this user's alone.
            limit_bytes: The most bytes that all entries may have together.
        """
        self.directory = directory
        self.limit_bytes = limit_bytes

    def read(self, key: str) -> bytes | None:
        """Read an entry, which counts as used now.

        Args:
            key: The entry's key: hex digits.

        Returns:
            Its bytes; None if there is none that can be read.
        """
        path = self._path(key)
        data = read_private(path)
        if data is None:
            return None
        with contextlib.suppress(OSError):  # a cache that can't be written is still read
            os.utime(path)
        return data

    def write(self, key: str, data: bytes) -> None:
        """Keep an entry, durably, if it fits at all; a directory that can't be written keeps nothing.

        Args:
            key: The entry's key: hex digits.
            data: Its bytes.
        """
        if len(data) > self.limit_bytes:
            return
        with contextlib.suppress(StoreError, OSError):
            self._path(key).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.write_bytes(self._path(key), data, mode=0o600)
            self._evict(keep=self._path(key))

    def discard(self, key: str) -> None:
        """Throw an entry out, if it is there.

        Args:
            key: The entry's key: hex digits.
        """
        with contextlib.suppress(OSError):
            self._path(key).unlink()

    def _path(self, key: str) -> Path:
        return self.directory / key[:2] / f"{key}{_SUFFIX}"

    def _evict(self, keep: Path) -> None:
        entries = []
        for path in self.directory.glob(f"??/*{_SUFFIX}"):
            with contextlib.suppress(OSError):  # another process may have thrown it out
                status = path.stat()
                entries.append((status.st_mtime_ns, status.st_size, path))
        excess = sum(size for _, size, _ in entries) - self.limit_bytes
        for _, size, path in sorted(entries):
            if excess <= 0:
                return
            if path != keep:
                with contextlib.suppress(OSError):
                    path.unlink()
                excess -= size


def default_store(environment: Mapping[str, str] = os.environ) -> StageStore:
    """Find the user's cache.

    Args:
        environment: Variables: ``SEALIFT_CACHE`` is its directory, by default where the platform keeps caches; ``SEALIFT_CACHE_BYTES`` bounds it.

    Returns:
        The cache.

    Raises:
        PackagerError: If the bound is no number, or the directory isn't this user's alone (see `place`): results that others could put there would be
            signed.
    """
    import platformdirs

    place = environment.get(VARIABLE)
    directory = Path(place) if place else platformdirs.user_cache_path("sealift")
    text = environment.get(LIMIT_VARIABLE, str(DEFAULT_LIMIT_BYTES))
    if not text.isascii() or not text.isdigit():
        raise PackagerError("not a size", where=LIMIT_VARIABLE, expected="a number of bytes", found=repr(text))
    return StageStore(private_folder(directory, where=VARIABLE if place else "the cache"), limit_bytes=int(text))
