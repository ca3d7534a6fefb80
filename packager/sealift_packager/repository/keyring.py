"""The keys of a repository's roles: PEM files in a folder that only its owner may enter.

A role's keys are ``ROLE.pem`` and ``ROLE-2.pem``, ``ROLE-bob.pem`` …, each with its public half ``….pub`` beside it; which of them count is what the
metadata says. Only the keys that a command needs are read, so those of root and targets can live offline and come back when they are needed.
A private key is encrypted or not; see `sealift_packager.keys.passphrase`.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from securesystemslib.signer import CryptoSigner, SSlibKey

from sealift_core import durable
from sealift_core.errors import StoreError
from sealift_core.signing.keys import PrivateKey, PublicKey
from sealift_packager.errors import OutputError, RepositoryError
from sealift_packager.keys.passphrase import Passphrases
from sealift_packager.repository.roles import ROLES

#: What signs TUF metadata: an ECDSA key of ours in python-tuf's clothes.
TufSigner: TypeAlias = CryptoSigner


def default_keys(repository: Path) -> Path:
    """Where a repository's keys are unless told otherwise: ``DIR-keys`` beside ``DIR``."""
    whole = repository.absolute()
    return whole.with_name(f"{whole.name}-keys")


def tuf_key(key: PublicKey) -> SSlibKey:
    """A public key as TUF metadata names it; the scheme follows the curve."""
    return SSlibKey.from_crypto(key.key)


def tuf_signer(key: PrivateKey) -> TufSigner:
    """A private key as python-tuf signs with it."""
    return TufSigner(key.key, tuf_key(key.public_key))


@dataclasses.dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys in a folder, and ``fresh`` ones by role that are not written yet (`save`)."""

    directory: Path
    passphrases: Passphrases = dataclasses.field(default_factory=Passphrases)
    fresh: Mapping[str, tuple[PrivateKey, ...]] = dataclasses.field(default_factory=dict)

    @classmethod
    def create(cls, directory: Path, *, repository: Path, passphrases: Passphrases | None = None) -> KeyRing:
        """An empty folder for keys; `OutputError` if something is there, or it would be published with the repository."""
        if directory.resolve().is_relative_to(repository.resolve()):
            raise RepositoryError(
                "keys inside the repository would be published", where=str(directory), advice="Pass a folder outside the repository to --keys."
            )
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise OutputError(
                "the folder of keys is not empty", where=str(directory), advice="Keys are never overwritten; pass another folder to --keys."
            )
        return cls(directory, passphrases or Passphrases())

    def with_fresh(self, counts: Mapping[str, int]) -> KeyRing:
        """The ring with so many fresh keys for each role, which count as its keys and are not written yet."""
        made = {role: tuple(PrivateKey.generate() for _ in range(count)) for role, count in counts.items() if count}
        return dataclasses.replace(self, fresh={**self.fresh, **{role: (*self.fresh.get(role, ()), *keys) for role, keys in made.items()}})

    def save(self, *, plain: Collection[str] = ()) -> list[Path]:
        """Write the fresh keys, encrypted with the new passphrase (if there is one) but for the roles in ``plain``; their files."""
        if not any(self.fresh.values()):
            return []
        passphrase = self.passphrases.for_new_key() if set(self.fresh) - set(plain) else None
        written: list[Path] = []
        try:
            with durable.translate_disk_errors(self.directory):
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.directory.chmod(0o700)
            for role in ROLES:
                for key in self.fresh.get(role, ()):
                    path = self._free_name(role)
                    durable.write_new(path, key.pem(None if role in plain else passphrase), mode=0o600)
                    durable.write_bytes(path.with_suffix(".pub"), key.public_key.pem())
                    written.append(path)
        except StoreError:
            for path in written:
                path.unlink(missing_ok=True)
                path.with_suffix(".pub").unlink(missing_ok=True)
            raise
        return written

    def remove(self) -> None:
        """Remove a folder of keys that were made just now and signed nothing that anybody has."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def signers(self, role: str, keyids: Collection[str]) -> Iterator[TufSigner]:
        """Whoever of these keys is here, one after the other; a key is read (and its passphrase asked for) when its turn comes."""
        fresh = (tuf_signer(key) for key in self.fresh.get(role, ()))
        yield from (signer for signer in fresh if signer.public_key.keyid in keyids)
        for path in self._files(role):
            public = path.with_suffix(".pub")
            if public.is_file() and tuf_key(PublicKey.load(public)).keyid not in keyids:
                continue
            signer = tuf_signer(self.passphrases.load(path))
            if signer.public_key.keyid in keyids:
                yield signer

    def absent(self, role: str, keyids: Collection[str]) -> RepositoryError:
        """The error for a role none of whose keys is here."""
        path = self.directory / f"{role}.pem"
        if not self._files(role):
            advice = f"This command signs as {role}; pass the folder that has the key to --keys."
            return RepositoryError(f"the key of the role {role} is missing", where=str(path), advice=advice)
        names = ", ".join(f"{keyid[:16]}…" for keyid in keyids)
        advice = "Pass the folder that has this repository's keys to --keys."
        return RepositoryError(f"the key isn't that of the role {role}", where=str(path), expected=names, advice=advice)

    def _files(self, role: str) -> list[Path]:
        """A role's private keys, by name."""
        return [path for path in (self.directory / f"{role}.pem", *sorted(self.directory.glob(f"{role}-*.pem"))) if path.is_file()]

    def _free_name(self, role: str) -> Path:
        names = [self.directory / f"{role}.pem", *(self.directory / f"{role}-{number}.pem" for number in range(2, 1000))]
        return next(path for path in names if not any(taken.exists() or taken.is_symlink() for taken in (path, path.with_suffix(".pub"))))
