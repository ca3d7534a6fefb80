"""A repository's directory: its metadata and blobs as files, read and replaced.

Blobs and numbered metadata are only ever added; ``timestamp.json`` is replaced last. Whoever stops in between leaves the repository as it was, plus
files that nothing names, which the next publication overwrites. Where root changes too, the files are first written down as a whole
(``.publishing.json``), and whoever comes next finishes: no command sees half of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tuf.api.metadata import TargetFile

from sealift_core import beneath, durable
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import Descriptor, OciLayout
from sealift_core.errors import BusyError
from sealift_core.messages.channel import Channel
from sealift_core.schema.documents import Document, canonical_json
from sealift_packager.errors import RepositoryError
from sealift_packager.repository import metadata
from sealift_packager.repository.metadata import RepositoryMetadata

METADATA: Final = "metadata"
#: Files that are being published, all or none of them: root among them.
JOURNAL: Final = ".publishing.json"
MAX_METADATA_BYTES: Final = 64 * 2**20
MAX_JOURNAL_BYTES: Final = 4 * MAX_METADATA_BYTES


@dataclasses.dataclass(frozen=True, slots=True)
class Repository:
    """A repository at ``directory``."""

    directory: Path

    @property
    def layout(self) -> OciLayout:
        """The blobs."""
        return OciLayout(self.directory)

    @property
    def root_file(self) -> Path:
        """The newest root of trust, which devices are given once."""
        return self.directory / METADATA / "root.json"

    def is_complete(self) -> bool:
        """Whether there is metadata of every role, root's first version included, which people sign after the others."""
        return os.path.lexists(self.directory / METADATA / "timestamp.json") and self.root_file.is_file()

    def read_metadata(self) -> RepositoryMetadata:
        """The current metadata, verified; `RepositoryError` if this isn't a repository, `TrustError` if it doesn't hold."""
        if not os.path.lexists(self.directory / METADATA / "timestamp.json"):
            raise RepositoryError("not a repository", where=str(self.directory), advice="Make one with `sealift repo init`.")
        if not self.root_file.is_file():
            advice = "Collect signatures for the request (`sealift repo sign`), then publish it (`sealift repo publish`)."
            raise RepositoryError("the repository's first root isn't signed yet", where=str(self.root_file), advice=advice)
        return metadata.verify(self.read_metadata_file)

    def read_metadata_file(self, name: str) -> bytes:
        """The bytes of one metadata file, as they are or are about to be."""
        journal = self._journal()
        if name in journal:
            return journal[name]
        path = self.directory / METADATA / name
        try:
            with beneath.open_file(self.directory, METADATA, name) as file:
                return beneath.read_open(file, MAX_METADATA_BYTES, where=str(path))
        except OSError as error:
            raise RepositoryError(f"the metadata can't be read ({error.strerror})", where=str(path)) from error

    def write_metadata(self, files: Mapping[str, bytes]) -> None:
        """Publish files, in their order; where root is among them, all or none."""
        journal = self.directory / JOURNAL
        if "root.json" in files:
            durable.write_bytes(journal, canonical_json({name: data.decode() for name, data in files.items()}))
        for name, data in files.items():
            durable.write_bytes(self.directory / METADATA / name, data)
        if "root.json" in files:
            journal.unlink()
            durable.sync_directory(self.directory)  # or a power cut could bring it back, and old files with it

    def _journal(self) -> dict[str, bytes]:
        if not os.path.lexists(self.directory / JOURNAL):
            return {}
        with beneath.open_file(self.directory, JOURNAL) as file:
            data = beneath.read_open(file, MAX_JOURNAL_BYTES, where=str(self.directory / JOURNAL))
        document = Document.parse_json(data, where=str(self.directory / JOURNAL), max_bytes=MAX_JOURNAL_BYTES)
        return {name: document.text(name, max_characters=MAX_METADATA_BYTES).encode() for name in document.names()}

    def channels(self, current: RepositoryMetadata) -> dict[str, Channel]:
        """Every channel by its name."""
        channels = {}
        for target, target_file in sorted(current.channels.signed.targets.items()):
            data = self.layout.read_blob(target_blob(target_file))
            channels[target.removeprefix("channels/").removesuffix(".json")] = Channel.parse(data, where=target)
        return channels

    @contextlib.contextmanager
    def locked(self, *, reading: bool = False) -> Iterator[None]:
        """Keep other publishers away; `BusyError` if one is at work. Readers that need a quiet repository share."""
        if not self.directory.is_dir():
            raise RepositoryError("not a repository", where=str(self.directory), advice="Make one with `sealift repo init`.")
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if reading else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BusyError("another publisher is at work", where=str(self.directory), advice="Try again when it is done.") from error
            self._finish(reading=reading)
            yield
        finally:
            os.close(descriptor)

    def _finish(self, *, reading: bool) -> None:
        """Do what a publication that was interrupted had yet to do."""
        unfinished = self._journal()
        if unfinished and reading:
            raise RepositoryError("a publication was interrupted", where=str(self.directory), advice="Run `sealift repo refresh` to finish it.")
        if unfinished:
            self.write_metadata(unfinished)


def target_blob(target_file: TargetFile) -> Descriptor:
    """The blob of a signed target, with the size and the digest that its role vouches for."""
    return Descriptor(media_type="", digest=Digest(target_file.hashes["sha256"]), size_bytes=target_file.length)
