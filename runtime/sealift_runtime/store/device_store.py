"""All that a device keeps of bundles: an OCI layout, and a directory of hard links per bundle."""

from __future__ import annotations

import dataclasses
import errno
import functools
import logging
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from sealift_core import beneath, durable
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import Descriptor, OciLayout
from sealift_core.bundle.release import BundleFiles, read_bundle_files
from sealift_core.errors import DocumentError, IntegrityError, LimitError
from sealift_core.verify.materialize import materialize
from sealift_runtime.store.download import BlobSource, Progress, download, partial_path
from sealift_runtime.store.space import check_space
from sealift_runtime.transport.base import Transport

DEFAULT_RESERVE_BYTES: Final = 256 * 2**20
_LOG: Final = logging.getLogger("sealift.store")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RemovedFiles:
    """What garbage collection removed."""

    files: int
    size_bytes: int


class DeviceStore:
    """The folders ``store`` (an OCI layout) and ``bundles`` of a device's home.

    ``reserve_bytes`` of the disk stay free whatever is fetched: the device needs them for its database and its logs.
    """

    def __init__(self, home: Path, *, reserve_bytes: int = DEFAULT_RESERVE_BYTES) -> None:
        self.layout = OciLayout.create(home / "store", mode=durable.PRIVATE_MODE)
        self.bundles = home / "bundles"
        self.bundles.mkdir(parents=True, exist_ok=True)
        self._reserve_bytes = reserve_bytes

    def has(self, descriptor: Descriptor) -> bool:
        """Whether a blob is stored in its full size (its content is not checked: see `drop_damaged`)."""
        try:
            with self.layout.open_blob(descriptor.digest) as file:
                return beneath.size_bytes(file) == descriptor.size_bytes
        except (OSError, IntegrityError):
            return False

    def missing(self, descriptors: Iterable[Descriptor]) -> list[Descriptor]:
        """Those blobs that are still to be fetched, each once."""
        return [descriptor for descriptor in {descriptor.digest: descriptor for descriptor in descriptors}.values() if not self.has(descriptor)]

    def check_space(self, descriptors: Iterable[Descriptor], extra_bytes: int = 0) -> None:
        """Raise `DiskFullError` unless all of these blobs and ``extra_bytes`` fit and the reserve stays free."""
        needed = sum(descriptor.size_bytes - self._partial_bytes(descriptor) for descriptor in self.missing(descriptors))
        check_space(self.layout.directory, needed + extra_bytes, self._reserve_bytes)

    def fetch(self, descriptor: Descriptor, transport: Transport, progress: Progress | None = None) -> None:
        """Have a blob, from the other side if it isn't here; errors as `download` and `check_space`.

        ``progress`` is called with the number of bytes that just came.
        """
        if self.has(descriptor):
            return
        self.layout.path(descriptor.digest).unlink(missing_ok=True)
        self.check_space([descriptor])
        download(BlobSource(descriptor=descriptor, transport=transport), self.layout.path(descriptor.digest), progress)

    def fetch_document(self, descriptor: Descriptor, transport: Transport, *, max_bytes: int) -> bytes:
        """A small blob's content, fetched if it isn't here, and once more if what is here is damaged."""
        if descriptor.size_bytes > max_bytes:
            where = f"{transport.describe()}: blobs/sha256/{descriptor.digest.hex}"
            raise LimitError("too large", where=where, expected=f"at most {max_bytes} bytes", found=f"{descriptor.size_bytes} bytes")
        self.fetch(descriptor, transport)
        try:
            return self.layout.read(descriptor.digest, max_bytes=max_bytes)
        except (IntegrityError, LimitError):
            self.layout.path(descriptor.digest).unlink()
        self.fetch(descriptor, transport)
        return self.layout.read(descriptor.digest, max_bytes=max_bytes)

    def drop_damaged(self, descriptors: Iterable[Descriptor]) -> list[Digest]:
        """Read every blob again; those that are missing, and those that are damaged (another size, unread; other content), which are removed."""
        return self._drop(descriptor.digest for descriptor in descriptors if not _holds(functools.partial(self.layout.check, descriptor)))

    def drop_damaged_documents(self, digests: Iterable[Digest]) -> list[Digest]:
        """The same for OCI documents, whose size isn't known but is bounded."""
        return self._drop(digest for digest in digests if not _holds(functools.partial(self.layout.read, digest)))

    def _drop(self, wrong: Iterable[Digest]) -> list[Digest]:
        dropped = list(dict.fromkeys(wrong))
        for digest in dropped:
            self.layout.path(digest).unlink(missing_ok=True)
        return dropped

    def bundle_files(self, digest: Digest) -> BundleFiles:
        """The file list of a bundle whose OCI manifest is in the store."""
        return read_bundle_files(self.layout, digest)

    def bundle_directory(self, digest: Digest) -> Path:
        """Where a bundle is materialized, or would be; ``digest`` is its OCI manifest's."""
        return self.bundles / digest.hex

    def materialize(self, digest: Digest) -> Path:
        """Make the bundle's directory from its blobs, by hard links, durably; what stood there is replaced."""
        directory = self.bundle_directory(digest)
        materialize(self.layout, digest, directory)
        return directory

    def remove_bundle(self, digest: Digest) -> None:
        """Remove a bundle's directory; its blobs stay."""
        shutil.rmtree(self.bundle_directory(digest), ignore_errors=True)

    def collect_garbage(self, bundles: Iterable[Digest], blobs: Iterable[Digest] = ()) -> RemovedFiles:
        """Remove everything but ``bundles`` (by their OCI manifests' digests), all that they refer to, and ``blobs``.

        The ``.partial`` files of what is kept stay, too. While the manifest of a kept bundle can't be read, no blob is removed: nobody knows which
        are its own.
        """
        kept_bundles = set(bundles)
        names = {digest.hex for digest in blobs} | {digest.hex for digest in kept_bundles}
        try:
            for digest in filter(self.layout.has, kept_bundles):
                names |= {blob.digest.hex for blob in self.bundle_files(digest).blobs()}
            unwanted = [path for path in self.layout.blobs.iterdir() if path.name.removesuffix(".partial") not in names]
        except (IntegrityError, DocumentError, LimitError) as error:
            _LOG.warning("%s; no file is removed from the store", error)
            unwanted = []
        size = sum(path.stat().st_size for path in unwanted)
        for path in unwanted:
            path.unlink()
        durable.sync_directory(self.layout.blobs)
        directories = [path for path in self.bundles.iterdir() if path.name not in {digest.hex for digest in kept_bundles}]
        for path in directories:
            shutil.rmtree(path)
        return RemovedFiles(files=len(unwanted), size_bytes=size)

    def _partial_bytes(self, descriptor: Descriptor) -> int:
        partial = partial_path(self.layout.path(descriptor.digest))
        return min(partial.stat().st_size, descriptor.size_bytes) if partial.is_file() else 0


def _holds(check: Callable[[], object]) -> bool:
    try:
        check()
    except (IntegrityError, LimitError):
        return False
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return False  # the disk can't read it any more
    return True
