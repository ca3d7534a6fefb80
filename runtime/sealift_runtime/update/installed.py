"""Whether a bundle on this disk is, to the last byte, what its release says."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from sealift_core.bundle import files
from sealift_core.bundle.release import read_release
from sealift_core.errors import IntegrityError, StoreError
from sealift_core.verify.check import BundleCheck, BundleIdentity, DirectoryBundle
from sealift_runtime.store.device_store import DeviceStore
from sealift_runtime.update.records import InstalledBundle


@contextlib.contextmanager
def translating_read_errors(directory: Path) -> Iterator[None]:
    """Turn an ``OSError``: `IntegrityError` for what the disk can't read any more, which is as good as changed; `StoreError` for anything else."""
    try:
        yield
    except OSError as error:
        where, words = str(error.filename or directory), f"can't be read from this disk ({error.strerror or error})"
        if error.errno == errno.EIO:
            raise IntegrityError(words, where=where, advice="The disk is failing.") from error
        raise StoreError(words, where=where, advice="Check the disk, and who owns the files of the agent's home.") from error


class InstalledCheck:
    """A materialized bundle, checked but for its weights: those may be loaded while `check_weights` hashes them. `finish` comes last.

    1. The release's index has its digest, and lists the bundle.
    2. The bundle's OCI manifest has its digest.
    3. The rules of `sealift_core.verify.check.check_bundle` hold for the directory, with the key that the release names, if it names one.
    4. The files that were checked are those that are there in the end.

    ``unchanged_since`` is what `finish` gave after an earlier check: while the files are the same ones, no byte of them is hashed again.
    Raises `IntegrityError` or `SignatureError` naming the file, `LimitError`, or `DocumentError` for a manifest or a graph that can't be read,
    and `StoreError` if this disk keeps it from being looked at.
    """

    def __init__(self, store: DeviceStore, bundle: InstalledBundle, unchanged_since: str | None = None) -> None:
        with translating_read_errors(bundle.directory):
            self._begin(store, bundle, unchanged_since)

    def _begin(self, store: DeviceStore, bundle: InstalledBundle, unchanged_since: str | None) -> None:
        release = read_release(store.layout, bundle.release)  # 1
        if bundle.digest not in [ref.manifest.digest for ref in release.bundles]:
            raise IntegrityError("the release doesn't list this bundle", where=str(store.layout.path(bundle.release)), expected=str(bundle.digest))
        listed = store.bundle_files(bundle.digest).layers  # 2
        self._directory = bundle.directory
        self._state = files.state(bundle.directory)
        self._content = files.state(bundle.directory, links=False)
        self._check = BundleCheck(  # 3
            DirectoryBundle(directory=bundle.directory, listed=listed),
            key=release.public_key,
            identity=BundleIdentity(name=bundle.name, version=bundle.version, profile=bundle.profile),
            documents=False,
            weights_later=True,
            hashing=self._state != unchanged_since,
        )

    def check_weights(self) -> None:
        """Rule 3 for the weights."""
        with translating_read_errors(self._directory):
            self._check.check_weights()

    def finish(self) -> str:
        """Rule 4; the state (`bundle.files.state`) of the files that were checked."""
        with translating_read_errors(self._directory):
            content = files.state(self._directory, links=False)
        if content != self._content:
            advice = "Make sure that nothing else writes to the agent's home."
            raise IntegrityError("a file was changed while the bundle was checked", where=str(self._directory), advice=advice)
        return self._state


def check_installed(store: DeviceStore, bundle: InstalledBundle, unchanged_since: str | None = None) -> str:
    """Check all of a materialized bundle, as `InstalledCheck` says; the state of the files that were checked."""
    check = InstalledCheck(store, bundle, unchanged_since)
    check.check_weights()
    return check.finish()
