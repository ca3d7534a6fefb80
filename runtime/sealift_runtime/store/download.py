"""One blob into a file, resumed where it stopped, bounded by its signed size, checked, durable."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from sealift_core import durable
from sealift_core.bundle.layout import Descriptor
from sealift_core.errors import DiskFullError, IntegrityError, OversizedError, TransportError
from sealift_runtime.transport.base import Transport

READ_BYTES: Final = 1024 * 1024
_LOG: Final = logging.getLogger("sealift.store")
Progress = Callable[[int], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BlobSource:
    """A blob at the other side: what it must be, and where it is there."""

    descriptor: Descriptor
    transport: Transport

    @property
    def path(self) -> str:
        """The blob's path in an OCI image layout."""
        return f"blobs/sha256/{self.descriptor.digest.hex}"

    @property
    def where(self) -> str:
        """The blob in words."""
        return f"{self.transport.describe()}: {self.path}"

    @contextlib.contextmanager
    def open(self, offset: int) -> Iterator[Iterator[bytes]]:
        """Its bytes from ``offset`` on; `OversizedError` for a file of another size than the blob's, whoever finds that out."""
        size = self.descriptor.size_bytes
        try:
            with self.transport.open(self.path, offset, max_bytes=size) as chunks:
                yield chunks
        except OversizedError as error:
            raise OversizedError("the blob is larger than what was signed", where=self.where, expected=f"{size} bytes", found=error.found) from error


def partial_path(target: Path) -> Path:
    """Where the bytes of ``target`` gather while they come."""
    return target.with_name(f"{target.name}.partial")


def download(source: BlobSource, target: Path, progress: Progress | None = None) -> None:
    """Make ``target`` the blob, or leave it as it is.

    1. What an earlier attempt left in the ``.partial`` file is taken up, if it isn't larger than the blob.
    2. More bytes than the blob has are refused, before they come where the size is known by then; fewer are an error, and stay for the
       next attempt.
    3. The digest must match. Left-overs that spoil it (a power cut can do that) are dropped and fetched anew, once.
    4. Only then the file is synced and takes its name.

    Raises `OversizedError` (2), `IntegrityError` (3), `TransportError`, `NotFoundError`, `DiskFullError`; then nothing has
    the blob's name, and on a full disk the ``.partial`` file is gone, too.
    """
    partial = partial_path(target)
    resumed = _usable(partial, source.descriptor.size_bytes)  # 1
    if resumed:
        _LOG.info("%s: %s of %s bytes are left from an earlier attempt", source.where, f"{resumed:,}", f"{source.descriptor.size_bytes:,}")
    try:
        hex_digest = _fill(source, partial, resumed, progress)
        if hex_digest != source.descriptor.digest.hex and resumed:  # 3
            _LOG.info("%s: the data from an earlier attempt was damaged; fetching all of it", source.where)
            partial.unlink()
            hex_digest = _fill(source, partial, 0, progress)
    except (OversizedError, DiskFullError):
        partial.unlink(missing_ok=True)
        raise
    if hex_digest != source.descriptor.digest.hex:
        partial.unlink()
        advice = "The repository or the medium is damaged or was tampered with."
        raise IntegrityError(
            "the content is not what was signed",
            where=source.where,
            expected=f"sha256:{source.descriptor.digest.hex}",
            found=f"sha256:{hex_digest}",
            advice=advice,
        )
    with durable.translate_disk_errors(target):  # 4
        partial.replace(target)
        durable.sync_directory(target.parent)
    _LOG.debug("%s: fetched %s bytes; the digest is the signed one", source.where, f"{source.descriptor.size_bytes:,}")


def _usable(partial: Path, size_bytes: int) -> int:
    """How many bytes of an earlier attempt can be kept."""
    try:
        size = partial.stat().st_size
    except FileNotFoundError:
        return 0
    if size <= size_bytes:
        return size
    partial.unlink()
    return 0


def _fill(source: BlobSource, partial: Path, offset: int, progress: Progress | None) -> str:
    """Append what is missing to ``partial``, synced; the hex sha256 of all of it."""
    hasher = hashlib.sha256()
    size = source.descriptor.size_bytes
    with durable.translate_disk_errors(partial):
        partial.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("a+b") as file:
            file.seek(0)
            left = offset
            while left and (chunk := file.read(min(READ_BYTES, left))):
                hasher.update(chunk)
                left -= len(chunk)
            if offset < size:
                with source.open(offset) as chunks:
                    for chunk in chunks:
                        offset += len(chunk)
                        if offset > size:
                            raise OversizedError("too large", where=source.where, found="more bytes")  # 2
                        hasher.update(chunk)
                        file.write(chunk)
                        if progress:
                            progress(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    if offset < size:  # 2
        raise TransportError("the blob ends too early", where=source.where, expected=f"{size} bytes", found=f"{offset} bytes")
    return hasher.hexdigest()
