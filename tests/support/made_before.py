"""Copies of what an earlier version left behind (tests/corpus/made_before), with fresh keys where the work goes on.

No private key of that time is kept. Whoever needs one gets a fresh one in its place: `resign_repository` signs each metadata file
anew with a fresh key for each old one, and `give_device_key` seals the reports that wait in a home anew. All else stays byte for byte.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Final

from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import Delegations, Metadata, MetaFile, Root, Signed, Snapshot, Targets, Timestamp

from sealift_core.bundle.digest import Digest
from sealift_core.messages.report import open_report, seal_report
from sealift_core.signing.keys import PrivateKey, PublicKey
from sealift_runtime.update.trust_folder import TrustFolder

FOLDER: Final = Path(__file__).parents[1] / "corpus" / "made_before"
#: The commits that the folders were made by.
COMMITS: Final = sorted(path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__")
#: The roles in the order in which one names the next.
_ROLES: Final = ("root", "targets", "channels", "snapshot", "timestamp")


@dataclasses.dataclass(frozen=True, slots=True)
class MadeBefore:
    """A writable copy of all that one version left behind."""

    place: Path

    @classmethod
    def copy(cls, commit: str, place: Path) -> MadeBefore:
        """Copy a commit's folder to ``place``, which must not be there yet."""
        shutil.copytree(FOLDER / commit, place)
        return cls(place)

    @property
    def recorded(self) -> Any:
        """Requests, and what that version answered to them, by model and version; the device's status at the end."""
        return json.loads((self.place / "recorded.json").read_text(encoding="utf-8"))

    @property
    def release(self) -> Path:
        """What ``pack`` wrote."""
        return self.place / "release"

    @property
    def bundle(self) -> Path:
        """The same release's bundle, unpacked."""
        return self.place / "bundle"

    @property
    def bundle_key(self) -> Path:
        """The public key of all bundles."""
        return self.place / "bundle.pem.pub"

    @property
    def repository(self) -> Path:
        """The repository; its channel stable names what the home doesn't have yet."""
        return self.place / "repository"

    @property
    def kit(self) -> Path:
        """The medium that ``kit build`` made; a stand-in for the agent's wheel is on it."""
        return self.place / "medium"

    @property
    def home(self) -> Path:
        """A device's home."""
        return self.place / "home"

    @property
    def hub(self) -> Path:
        """The data of the hub that took the device's first reports."""
        return self.place / "hub"

    @property
    def exported(self) -> Path:
        """The medium with the reports that the hub hasn't taken yet, as the device sealed them."""
        return self.place / "exported"

    @property
    def device_key(self) -> PublicKey:
        """The public key that the device had."""
        (path,) = self.exported.glob("sealift-reports/*/device.pub")
        return PublicKey.load(path)


def give_device_key(made: MadeBefore) -> PrivateKey:
    """Give the home a fresh key, and the device's identity to it: in the spool's reports and in the hub's database."""
    key = PrivateKey.generate()
    (made.home / "keys").mkdir(mode=0o700)
    key.save(made.home / "keys" / "device.pem")
    _reseal_spool(made.home / "reports.sqlite", made.device_key, key)
    _rename_device(made.hub / "hub.sqlite", made.device_key, key.public_key)
    return key


def _reseal_spool(path: Path, old: PublicKey, key: PrivateKey) -> None:
    database = sqlite3.connect(path)
    previous = None
    for number, envelope in database.execute("SELECT number, envelope FROM report ORDER BY number").fetchall():
        report = open_report(envelope, old, where=f"report {number}")
        previous = previous or report.previous
        sealed = seal_report(dataclasses.replace(report, device=key.public_key.fingerprint, previous=previous), key)
        previous = Digest.of(sealed)
        database.execute("UPDATE report SET envelope = ? WHERE number = ?", (sealed, number))
        database.execute("UPDATE chain SET digest = ?", (str(previous),))
    database.commit()
    database.close()


def _rename_device(path: Path, old: PublicKey, new: PublicKey) -> None:
    database = sqlite3.connect(path)
    for table in ("reports", "device_models", "windows", "events"):
        database.execute(f"UPDATE {table} SET device_id = ? WHERE device_id = ?", (new.fingerprint, old.fingerprint))
    database.execute("UPDATE devices SET id = ?, public_key = ? WHERE id = ?", (new.fingerprint, new.pem().decode(), old.fingerprint))
    database.commit()
    database.close()


def resign_repository(made: MadeBefore) -> None:
    """Sign the repository's metadata anew with fresh keys, which lie in ``repository-keys``; the home trusts it as it did before."""
    resigned = _Resigned()
    metadata = made.repository / "metadata"
    for role in _ROLES:
        for path in sorted(metadata.glob(f"*{role}.json")):
            path.write_bytes(resigned.bytes(path.read_bytes()))
    resigned.write_keys(metadata, made.repository.with_name("repository-keys"))
    root = made.home / "root.json"
    root.write_bytes(resigned.bytes(root.read_bytes()))
    trust = TrustFolder(made.home / "trust")
    state = trust.load().state
    trust.save(dataclasses.replace(state, files={role: resigned.bytes(state.files[role]) for role in _ROLES if role in state.files}))


class _Resigned:
    """A fresh key for each old one, and each file with these in their places."""

    def __init__(self) -> None:
        self._keys: dict[str, PrivateKey] = {}
        self._files: dict[str, bytes] = {}

    def bytes(self, data: bytes) -> bytes:
        """A metadata file, signed anew; the files that it names by hash must have come before it."""
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._files:
            metadata = Metadata[Any].from_bytes(data)
            self._replace(metadata.signed)
            signed_by = list(metadata.signatures)
            metadata.signatures.clear()
            for keyid in signed_by:
                metadata.sign(self._signer(keyid), append=True)
            self._files[digest] = metadata.to_bytes()
        return self._files[digest]

    def write_keys(self, metadata: Path, folder: Path) -> None:
        """Write the private keys of the newest root and targets as ``repo init`` does."""
        folder.mkdir(mode=0o700)
        root = Metadata[Root].from_bytes((metadata / "root.json").read_bytes()).signed
        newest = max(metadata.glob("*.targets.json"), key=lambda path: int(path.name.split(".")[0]))
        targets = Metadata[Targets].from_bytes(newest.read_bytes()).signed
        roles = {**root.roles, **_delegations(targets).roles}  # type: ignore[dict-item]
        private = {self._signer(keyid).public_key.keyid: key for keyid, key in self._keys.items()}
        for role, delegated in roles.items():
            for number, keyid in enumerate(delegated.keyids, 1):
                path = folder / (f"{role}.pem" if number == 1 else f"{role}-{number}.pem")
                private[keyid].save(path)
                path.with_suffix(".pub").write_bytes(private[keyid].public_key.pem())

    def _replace(self, signed: Signed) -> None:
        if isinstance(signed, Snapshot):
            signed.meta = {name: self._named(file) for name, file in signed.meta.items()}
        elif isinstance(signed, Timestamp):
            signed.snapshot_meta = self._named(signed.snapshot_meta)
        elif isinstance(signed, Root):
            signed.keys = {key.keyid: key for key in map(self._public, signed.keys)}
            for role in signed.roles.values():
                role.keyids = [self._public(keyid).keyid for keyid in role.keyids]
        elif isinstance(signed, Targets) and signed.delegations:
            signed.delegations.keys = {key.keyid: key for key in map(self._public, signed.delegations.keys)}
            for role in (_delegations(signed).roles or {}).values():
                role.keyids = [self._public(keyid).keyid for keyid in role.keyids]

    def _named(self, file: MetaFile) -> MetaFile:
        data = self._files[(file.hashes or {})["sha256"]]
        return MetaFile(file.version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})

    def _public(self, keyid: str) -> SSlibKey:
        return self._signer(keyid).public_key

    def _signer(self, keyid: str) -> CryptoSigner:
        key = self._keys.setdefault(keyid, PrivateKey.generate())
        return CryptoSigner(key.key, SSlibKey.from_crypto(key.public_key.key))


def _delegations(targets: Targets) -> Delegations:
    assert targets.delegations is not None
    return targets.delegations
