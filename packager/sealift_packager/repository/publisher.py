"""The repository on disk: init, add, promote, refresh.

Blobs and numbered metadata are only ever added; ``timestamp.json`` is replaced last. Whoever stops in between leaves the
repository as it was, plus files that nothing names, which the next publication overwrites.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import datetime
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tuf.api.metadata import TargetFile, Targets

from sealift_packager.errors import OutputError, RepositoryError
from sealift_packager.repository import metadata
from sealift_packager.repository.intake import CheckedRelease, import_blobs
from sealift_packager.repository.keyring import KeyRing
from sealift_packager.repository.metadata import HASHES, RepositoryMetadata
from sealift_packager.repository.roles import CHANNELS, ROLES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Expiry
from sealift_runtime import beneath, durable
from sealift_runtime.bundle.digest import Digest
from sealift_runtime.bundle.layout import REF_NAME, Descriptor, OciLayout
from sealift_runtime.documents import Document, nearest
from sealift_runtime.errors import BusyError, SealiftError
from sealift_runtime.exchange.channel import CHANNEL_NAME, Channel, channel_target, release_target

METADATA = "metadata"
MAX_METADATA_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a publication did; with ``changed`` false, all was so already and nothing was written."""

    changed: bool
    new_blobs: int
    timestamp_version: int


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

    def read_metadata(self) -> RepositoryMetadata:
        """The current metadata, verified; `RepositoryError` if this isn't a repository, `TrustError` if it doesn't hold."""
        if not os.path.lexists(self.directory / METADATA / "timestamp.json"):
            raise RepositoryError("not a repository", where=str(self.directory), advice="Make one with `sealift repo init`.")
        return metadata.verify(self.read_metadata_file)

    def read_metadata_file(self, name: str) -> bytes:
        """The bytes of one metadata file."""
        path = self.directory / METADATA / name
        try:
            with beneath.open_file(self.directory, METADATA, name) as file:
                return beneath.read_open(file, MAX_METADATA_BYTES, where=str(path))
        except OSError as error:
            raise RepositoryError(f"the metadata can't be read ({error.strerror})", where=str(path)) from error

    def channels(self, current: RepositoryMetadata) -> dict[str, Channel]:
        """Every channel by its name."""
        found = {}
        for target, row in sorted(current.channels.signed.targets.items()):
            data = self.layout.read_blob(target_blob(row))
            found[target.removeprefix("channels/").removesuffix(".json")] = Channel.parse(data, where=target)
        return found

    @contextlib.contextmanager
    def locked(self, *, shared: bool = False) -> Iterator[None]:
        """Keep other publishers away; `BusyError` if one is at work. Readers that need a quiet repository share."""
        if not self.directory.is_dir():
            raise RepositoryError("not a repository", where=str(self.directory), advice="Make one with `sealift repo init`.")
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BusyError("another publisher is at work", where=str(self.directory), advice="Try again when it is done.") from error
            yield
        finally:
            os.close(descriptor)


def target_blob(row: TargetFile) -> Descriptor:
    """The blob of a signed target, with the size and the digest that its role vouches for."""
    return Descriptor(media_type="", digest=Digest(row.hashes["sha256"]), size_bytes=row.length)


def init(directory: Path, keys: Path, *, expiry: Expiry, now: datetime.datetime) -> Repository:
    """Make an empty repository with fresh keys in ``keys``; `OutputError` if either place is taken. If it fails, nothing is left."""
    repository = Repository(directory)
    if (directory / METADATA).exists():
        raise OutputError("a repository is there already", where=str(directory), advice="Its keys stay as they are; nothing was changed.")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise OutputError("the place for the repository is taken", where=str(directory), advice="Give a new or empty directory.")
    ring = KeyRing.create(keys, repository=directory)
    building = directory.absolute().with_name(f".{directory.absolute().name}.partial")
    try:
        _write_first(building, metadata.first_files(ring.signers(ROLES), expiry, now))
        with durable.translate_disk_errors(directory):
            building.rename(directory.absolute())
    except SealiftError:
        shutil.rmtree(building, ignore_errors=True)
        ring.remove()
        raise
    durable.sync_directory(directory.absolute().parent)
    return repository


def _write_first(building: Path, files: Mapping[str, bytes]) -> None:
    with durable.translate_disk_errors(building):
        shutil.rmtree(building, ignore_errors=True)
        OciLayout.create(building)
        for name, data in files.items():
            durable.write_bytes(building / METADATA / name, data)
        durable.sync_tree(building)


def add(repository: Repository, checked: CheckedRelease, ring: KeyRing, *, expiry: Expiry, now: datetime.datetime) -> Published:
    """Publish a release; the same release again is no change, other bytes under the same version are a `RepositoryError`."""
    release, descriptor = checked.release, checked.descriptor
    target = release_target(release.name, release.version)
    with repository.locked():
        current = repository.read_metadata()
        known = current.targets.signed.targets.get(target)
        if known is not None and known.hashes["sha256"] != descriptor.digest.hex:
            raise RepositoryError(
                "this version is published with other content",
                where=f"{release.name} {release.version}",
                expected=f"sha256:{known.hashes['sha256']}",
                found=str(descriptor.digest),
                advice="A published version never changes; give the new one a new version.",
            )
        signers = ring.signers((TARGETS, SNAPSHOT, TIMESTAMP)) if known is None else {}
        new_blobs = import_blobs(checked.layout, repository.layout, checked.blobs)
        _list_release(repository.layout, release.name, release.version, descriptor)
        if known is not None:
            return Published(changed=False, new_blobs=new_blobs, timestamp_version=current.timestamp.signed.version)
        targets = copy.deepcopy(current.targets.signed)
        data = repository.layout.read(descriptor.digest)
        targets.targets[target] = TargetFile.from_data(target, data, HASHES)
        version = _publish(repository, current, {TARGETS: targets}, signers, expiry, now)
    return Published(changed=True, new_blobs=new_blobs, timestamp_version=version)


def promote(repository: Repository, name: str, version: str, channel: str, ring: KeyRing, *, expiry: Expiry, now: datetime.datetime) -> Published:
    """Point a channel at a release; `RepositoryError` for a release that isn't published."""
    Document({"channel": channel}, "--channel").text("channel", pattern=CHANNEL_NAME)
    target = channel_target(channel)
    with repository.locked():
        current = repository.read_metadata()
        _check_published(current, name, version)
        before = repository.channels(current).get(channel, Channel(models={}))
        if before.models.get(name) == version:
            return Published(changed=False, new_blobs=0, timestamp_version=current.timestamp.signed.version)
        signers = ring.signers((CHANNELS, SNAPSHOT, TIMESTAMP))
        data = Channel(models={**before.models, name: version}).to_bytes()
        repository.layout.put(data)
        channels = copy.deepcopy(current.channels.signed)
        channels.targets[target] = TargetFile.from_data(target, data, HASHES)
        timestamp_version = _publish(repository, current, {CHANNELS: channels}, signers, expiry, now)
    return Published(changed=True, new_blobs=1, timestamp_version=timestamp_version)


def refresh(repository: Repository, ring: KeyRing, roles: Sequence[str] = (), *, expiry: Expiry, now: datetime.datetime) -> Published:
    """Sign snapshot and timestamp anew with later expiries, and ``roles`` (root, targets, channels) beside them."""
    with repository.locked():
        current = repository.read_metadata()
        signers = ring.signers(dict.fromkeys((*roles, SNAPSHOT, TIMESTAMP)))
        if ROOT in roles:
            _write(repository, metadata.next_root_files(current, signers, expiry, now))
        both = {TARGETS: current.targets.signed, CHANNELS: current.channels.signed}
        changed = {role: signed for role, signed in both.items() if role in roles}
        version = _publish(repository, repository.read_metadata(), changed, signers, expiry, now)
    return Published(changed=True, new_blobs=0, timestamp_version=version)


def published_releases(current: RepositoryMetadata) -> dict[tuple[str, str], Digest]:
    """The OCI index digest of every published release by name and version, in order."""
    rows = sorted(current.targets.signed.targets.items())
    parts = {target: target.split("/") for target, _ in rows}
    return {(parts[target][1], parts[target][2]): Digest(row.hashes["sha256"]) for target, row in rows if parts[target][0] == "releases"}


def _check_published(current: RepositoryMetadata, name: str, version: str) -> None:
    releases = published_releases(current)
    if (name, version) in releases:
        return
    versions = [known for model, known in releases if model == name]
    if versions:
        raise RepositoryError(
            "no such version in this repository",
            where=f"{name} {version}",
            expected=f"one of {', '.join(versions)}",
            advice=nearest(version, versions),
        )
    models = sorted({model for model, _ in releases})
    expected = f"one of {', '.join(models)}" if models else "a release; none was added yet"
    raise RepositoryError("no such model in this repository", where=f"{name} {version}", expected=expected, advice=nearest(name, models))


def _list_release(layout: OciLayout, name: str, version: str, descriptor: Descriptor) -> None:
    """Name a release in ``index.json``, for OCI tools; nothing trusts that file."""
    ref = f"{name}:{version}"
    row = dataclasses.replace(descriptor, annotations={**descriptor.annotations, REF_NAME: ref})
    layout.write_index([*(other for other in layout.index() if other.annotations.get(REF_NAME) != ref), row])


def _publish(
    repository: Repository,
    current: RepositoryMetadata,
    changed: Mapping[str, Targets],
    signers: metadata.Signers,
    expiry: Expiry,
    now: datetime.datetime,
) -> int:
    """Write the next metadata once it is proven to hold together; the version of the new timestamp."""
    signing = {role: signer for role, signer in signers.items() if role != ROOT}
    files = metadata.next_files(current, changed, signing, expiry, now)
    following = metadata.verify(lambda name: files[name] if name in files else repository.read_metadata_file(name))
    _write(repository, files)
    return following.timestamp.signed.version


def _write(repository: Repository, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        durable.write_bytes(repository.directory / METADATA / name, data)
