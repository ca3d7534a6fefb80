"""The keys of a repository's roles: one PEM file each, in a folder that only its owner may enter.

Only the keys that a command needs are read, so ``root.pem`` and ``targets.pem`` can live offline and come back when they
are needed.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from securesystemslib.signer import CryptoSigner, SSlibKey

from sealift_packager.errors import OutputError, RepositoryError
from sealift_packager.repository.roles import ROLES
from sealift_runtime import durable
from sealift_runtime.errors import StoreError
from sealift_runtime.signing.keys import PrivateKey, PublicKey

#: What signs TUF metadata: an ECDSA key of ours in python-tuf's clothes.
TufSigner: TypeAlias = CryptoSigner


def default_keys(repository: Path) -> Path:
    """Where a repository's keys are unless told otherwise: ``DIR-keys`` beside ``DIR``."""
    whole = repository.absolute()
    return whole.with_name(f"{whole.name}-keys")


def tuf_key(key: PublicKey) -> SSlibKey:
    """A public key as TUF metadata names it; the scheme follows the curve."""
    return SSlibKey.from_crypto(key.key)


@dataclasses.dataclass(frozen=True, slots=True)
class KeyRing:
    """A folder with ``ROLE.pem`` (private, mode 0600) and ``ROLE.pub`` for each role."""

    directory: Path

    @classmethod
    def create(cls, directory: Path, *, repository: Path) -> KeyRing:
        """Generate a fresh key for each role; `OutputError` if something is there, or it would be published with the repository."""
        if directory.resolve().is_relative_to(repository.resolve()):
            raise RepositoryError("keys inside the repository would be published", where=str(directory), advice="Give --keys a place outside.")
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise OutputError("the place for keys is taken", where=str(directory), advice="Keys are never overwritten; give --keys another place.")
        ring = cls(directory)
        try:
            with durable.translate_disk_errors(directory):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                directory.chmod(0o700)
                for role in ROLES:
                    key = PrivateKey.generate()
                    key.save(directory / f"{role}.pem")
                    durable.write_bytes(directory / f"{role}.pub", key.public_key.pem())
        except StoreError:
            ring.remove()
            raise
        return ring

    def remove(self) -> None:
        """Remove keys that were made just now and signed nothing that anybody has."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def signers(self, roles: Iterable[str]) -> dict[str, TufSigner]:
        """The signers of some roles; `RepositoryError` names the first key that isn't here."""
        return {role: self._signer(role) for role in roles}

    def _signer(self, role: str) -> TufSigner:
        path = self.directory / f"{role}.pem"
        if not path.is_file():
            advice = f"This command signs as {role}; give --keys the folder that has the key."
            raise RepositoryError(f"the key of the role {role} isn't here", where=str(path), advice=advice)
        key = PrivateKey.load(path)
        return TufSigner(key.key, tuf_key(key.public_key))
