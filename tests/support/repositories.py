"""A real TUF repository with real releases, made with python-tuf's Metadata API and throw-away keys.

``Repository`` keeps its metadata in memory and writes static files as publishers do: blobs first, ``timestamp.json``
last. Its methods do what vendors and release managers do, and `tamper` what attackers do.
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from sealift_core.bundle.layout import OciLayout
from sealift_core.bundle.release import Release
from sealift_core.clock import format_time
from sealift_core.messages.channel import Channel, channel_target, release_target
from sealift_core.messages.roles import CHANNELS, ROOT, SIGNED_AT_FIELD, SNAPSHOT, TARGETS, TIMESTAMP, WITHDRAWN_FIELD
from support.models import make_bundle, make_release

DAY: Final = datetime.timedelta(days=1)
NOW: Final = datetime.datetime(2027, 1, 1, 12, 0, 0, tzinfo=datetime.UTC)
LIFETIMES: Final = {ROOT: 365 * DAY, TARGETS: 90 * DAY, CHANNELS: 90 * DAY, SNAPSHOT: 7 * DAY, TIMESTAMP: DAY}


def new_signer() -> CryptoSigner:
    """A fresh ECDSA P-256 key."""
    return CryptoSigner.generate_ecdsa()


class Repository:
    """A repository in a directory. ``now`` is when it signs; move it on to publish later."""

    def __init__(self, directory: Path, *, root_threshold: int = 1, root_keys: int = 1, now: datetime.datetime = NOW) -> None:
        self.directory = directory
        self.layout = OciLayout.create(directory)
        self.now = now
        self.signers: dict[str, list[CryptoSigner]] = {role: [new_signer()] for role in (TARGETS, CHANNELS, SNAPSHOT, TIMESTAMP)}
        self.signers[ROOT] = [new_signer() for _ in range(root_keys)]
        self.root = Metadata(Root(consistent_snapshot=True))
        for role in (ROOT, TARGETS, SNAPSHOT, TIMESTAMP):
            for signer in self.signers[role]:
                self.root.signed.add_key(signer.public_key, role)
        self.root.signed.roles[ROOT].threshold = root_threshold
        key = self.signers[CHANNELS][0].public_key
        delegated = DelegatedRole(CHANNELS, [key.keyid], 1, terminating=True, paths=["channels/*"])
        self.targets = Metadata(Targets(delegations=Delegations({key.keyid: key}, {CHANNELS: delegated})))
        self.channels = Metadata(Targets())
        self.snapshot = Metadata(Snapshot())
        self.timestamp = Metadata(Timestamp())
        for metadata in (self.root, self.targets, self.channels, self.snapshot, self.timestamp):
            metadata.signed.version = 0  # the next to be signed is 1
        self.channel_models: dict[str, dict[str, str]] = {}
        self.publish_root()
        self.publish_targets()

    @property
    def metadata(self) -> Path:
        """The folder of all metadata."""
        return self.directory / "metadata"

    def trusted_root(self) -> bytes:
        """The first root, which a device is enrolled with."""
        return (self.metadata / "1.root.json").read_bytes()

    @property
    def trusted_root_file(self) -> Path:
        """The first root's file."""
        return self.metadata / "1.root.json"

    def publish_root(self, *also: CryptoSigner) -> None:
        """Sign and publish the next root, by its own keys and ``also`` by others (the root before it, say)."""
        data = self._sign(self.root, ROOT, *also)
        self._write(f"{self.root.signed.version}.root.json", data)
        self._write("root.json", data)

    def publish_targets(self) -> None:
        """Sign the next targets and channels, then snapshot and timestamp."""
        for role, metadata in ((TARGETS, self.targets), (CHANNELS, self.channels)):
            self._write(f"{metadata.signed.version + 1}.{role}.json", self._sign(metadata, role))
        self.republish()

    def republish(self) -> None:
        """Sign a new snapshot over targets and channels as they are, and a new timestamp."""
        meta = {f"{role}.json": MetaFile(metadata.signed.version) for role, metadata in ((TARGETS, self.targets), (CHANNELS, self.channels))}
        self.snapshot.signed.meta = meta
        self._write(f"{self.snapshot.signed.version + 1}.snapshot.json", self._sign(self.snapshot, SNAPSHOT))
        self.timestamp.signed.snapshot_meta = MetaFile(self.snapshot.signed.version)
        self.republish_timestamp()

    def republish_timestamp(self) -> None:
        """Sign a new timestamp alone."""
        self._write("timestamp.json", self._sign(self.timestamp, TIMESTAMP))

    def add_release(self, version: str = "1.0.0", *, channel: str | None = "stable", name: str = "linear", **changes: Any) -> None:
        """Pack a release of one bundle with `make_bundle`, vouch for it, promote it to ``channel`` if given, publish."""
        work = self.directory.parent / "packing"
        shutil.rmtree(work, ignore_errors=True)
        make_bundle(work / "bundle", name=name, version=version, **changes)
        self.take_release(work, [work / "bundle"], channel=channel)

    def take_release(self, work: Path, bundles: list[Path], *, channel: str | None = "stable") -> None:
        """Vouch for a release of bundle directories."""
        release = make_release(work / "layout", *bundles)
        self.vouch(work / "layout", release, channel=channel)
        self.publish_targets()

    def vouch(self, layout: Path, release: Release, *, channel: str | None = "stable") -> None:
        """Take a release in, whatever it is; `publish_targets` publishes it."""
        shutil.copytree(layout / "blobs", self.directory / "blobs", dirs_exist_ok=True)
        target = TargetFile.from_data(release_target(release.name, release.version), release.to_bytes(), ["sha256"])
        self.targets.signed.targets[target.path] = target
        if channel:
            self.channel_models.setdefault(channel, {})[release.name] = release.version
            self._write_channel(channel)

    def promote(self, version: str, *, channel: str = "stable", name: str = "linear") -> None:
        """Point a channel to a version, known or not, and publish."""
        self.channel_models.setdefault(channel, {})[name] = version
        self._write_channel(channel)
        self.publish_targets()

    def withdraw(self, version: str, *, name: str = "linear") -> None:
        """Take a release from role targets, which remembers it, and from every channel that names it, and publish."""
        del self.targets.signed.targets[release_target(name, version)]
        self.targets.signed.unrecognized_fields.setdefault(WITHDRAWN_FIELD, {})[f"{name}/{version}"] = format_time(self.now)
        for channel, models in self.channel_models.items():
            if models.get(name) == version:
                del models[name]
                self._write_channel(channel)
        self.publish_targets()

    def _write_channel(self, channel: str) -> None:
        data = Channel(models=self.channel_models[channel]).to_bytes()
        self.layout.put(data)
        self.channels.signed.targets[channel_target(channel)] = TargetFile.from_data(channel_target(channel), data, ["sha256"])

    def replace_key(self, role: str) -> None:
        """Revoke a top-level role's keys for a new one and publish the next root."""
        for old in self.signers[role]:
            self.root.signed.revoke_key(old.public_key.keyid, role)
        before, self.signers[role] = self.signers[role], [new_signer()]
        self.root.signed.add_key(self.signers[role][0].public_key, role)
        self.publish_root(*(before if role == ROOT else ()))

    def _sign(self, metadata: Metadata[Any], role: str, *also: CryptoSigner) -> bytes:
        metadata.signed.version += 1
        metadata.signed.expires = self.now + LIFETIMES[role]
        metadata.signed.unrecognized_fields[SIGNED_AT_FIELD] = format_time(self.now)
        metadata.signatures.clear()
        for signer in (*self.signers[role], *also):
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def _write(self, name: str, data: bytes) -> None:
        self.metadata.mkdir(parents=True, exist_ok=True)
        (self.metadata / name).write_bytes(data)


def resign(data: bytes, change: Callable[[Any], None], *signers: CryptoSigner) -> bytes:
    """Metadata with ``change`` made to what is signed, signed anew by ``signers``."""
    metadata: Metadata[Any] = Metadata.from_bytes(data)
    change(metadata.signed)
    metadata.signatures.clear()
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def flip(path: Path, position: int) -> None:
    """Flip one bit of a file; a hard link to it sees that, too."""
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 0x01
    with path.open("r+b") as file:
        file.write(data)


def snapshot_of(directory: Path) -> Mapping[str, bytes]:
    """All files of a directory by their relative paths."""
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}
