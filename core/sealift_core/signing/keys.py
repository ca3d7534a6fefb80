"""ECDSA keys on P-256 and P-384: generate, store, load, sign, verify.

The hash follows the curve (SHA-256 for P-256, SHA-384 for P-384). Signatures are deterministic (RFC 6979), so a
rebuilt bundle carries the same ``model.sig``. They are also in their one canonical form (DER, low s): of the two values
of s that check, ours is the smaller, so nobody without the key can make another valid signature from one of ours.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from sealift_core import durable
from sealift_core.errors import KeyFileError, PassphraseError, SignatureError

MAX_KEY_FILE_BYTES = 64 * 1024
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {"secp256r1": hashes.SHA256, "secp384r1": hashes.SHA384}
#: The number of points of each curve (SEC 2, version 2.0, sections 2.4.2 and 2.5.1).
_ORDERS: dict[str, int] = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}


def _scheme(curve: ec.EllipticCurve, where: str) -> ec.ECDSA:
    if curve.name not in _HASHES:
        raise KeyFileError("not a usable curve", where=where, expected="P-256 or P-384", found=curve.name)
    return ec.ECDSA(_HASHES[curve.name](), deterministic_signing=True)


@dataclasses.dataclass(frozen=True, slots=True)
class PublicKey:
    """An ECDSA public key that checks signatures.

    Attributes:
        key: The key, on P-256 or P-384.
    """

    key: ec.EllipticCurvePublicKey

    @classmethod
    def from_pem(cls, pem: bytes, *, where: str = "public key") -> PublicKey:
        """Read a PEM SubjectPublicKeyInfo (RFC 5280, RFC 7468).

        Args:
            pem: The text.
            where: What errors call it.

        Returns:
            The key.

        Raises:
            KeyFileError: If it isn't a public key of ECDSA on P-256 or P-384.
        """
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            private = b"PRIVATE KEY" in pem
            advice = "This is a private key. Pass its public half (the .pub file)." if private else None
            raise KeyFileError("not a PEM public key", where=where, advice=advice) from error
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise KeyFileError("not an ECDSA key", where=where, expected="ECDSA P-256 or P-384", found=type(key).__name__)
        _scheme(key.curve, where)
        return cls(key)

    @classmethod
    def load(cls, path: Path) -> PublicKey:
        """Read a public key file.

        Args:
            path: A PEM file of at most 64 KiB.

        Returns:
            The key.

        Raises:
            KeyFileError: If the file can't be read, or isn't a public key of ECDSA on P-256 or P-384.
        """
        return cls.from_pem(_read(path), where=str(path))

    def pem(self) -> bytes:
        """Write the key as PEM text: a SubjectPublicKeyInfo in lines of 64 characters, with a final newline."""
        return self.key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> str:
        """The hex SHA-256 of the PEM text: the ``hint`` of Model Signing, and a device's id."""
        return hashlib.sha256(self.pem()).hexdigest()

    @property
    def hash_name(self) -> str:
        """The hash that goes with the curve, as openssl names it: ``sha256`` or ``sha384``."""
        return _HASHES[self.key.curve.name]().name

    def verify(self, signature: bytes, message: bytes, *, where: str) -> None:
        """Check a signature.

        Args:
            signature: A DER-encoded ECDSA signature, in canonical form or not.
            message: What it must be over.
            where: What errors call the message.

        Raises:
            SignatureError: If it isn't this key's over ``message``.
        """
        try:
            self.key.verify(signature, message, _scheme(self.key.curve, where))
        except InvalidSignature as error:
            raise SignatureError(
                "the signature doesn't match",
                where=where,
                expected=f"a signature by the key {self.fingerprint[:16]}…",
                advice="The content was changed after signing, or another key signed it.",
            ) from error

    def canonical_signature(self, signature: bytes) -> bytes:
        """Bring a signature that checks into its one canonical form. Whatever was signed by us equals it.

        Args:
            signature: A DER-encoded ECDSA signature.

        Returns:
            The same signature in DER, with the smaller of its two values of s.

        Raises:
            ValueError: If it isn't DER.
        """
        r, s = decode_dss_signature(signature)
        return encode_dss_signature(r, min(s, _ORDERS[self.key.curve.name] - s))


class Signer(Protocol):
    """What can sign: a key in a file, or one in an HSM."""

    @property
    def public_key(self) -> PublicKey:
        """The key that checks what this signer makes."""

    def sign(self, message: bytes) -> bytes:
        """Sign a message.

        Args:
            message: Its bytes, unhashed.

        Returns:
            A DER-encoded ECDSA signature.
        """


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """An ECDSA private key held in memory; a `Signer`.

    Attributes:
        key: The key, on P-256 or P-384.
    """

    key: ec.EllipticCurvePrivateKey

    @classmethod
    def generate(cls) -> PrivateKey:
        """Make a fresh P-256 key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, path: Path, passphrase: bytes | None = None) -> PrivateKey:
        """Read a private key file.

        Args:
            path: A PEM file of at most 64 KiB.
            passphrase: What it is encrypted with; None for a key that isn't.

        Returns:
            The key.

        Raises:
            PassphraseError: If the key is encrypted, and the passphrase is missing or wrong.
            KeyFileError: If the file can't be read, isn't a private key of ECDSA on P-256 or P-384, or isn't encrypted though a passphrase was given.
        """
        pem, where = _read(path), str(path)
        try:
            key = serialization.load_pem_private_key(pem, passphrase)
        except TypeError as error:
            if passphrase is None:
                raise PassphraseError("the key is encrypted and needs a passphrase", where=where) from error
            raise KeyFileError("the key isn't encrypted, but a passphrase was given", where=where) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            if passphrase is not None and b"ENCRYPTED" in pem:
                raise PassphraseError("the passphrase is wrong", where=where) from error
            advice = "This is a public key. Pass the private key." if b"PUBLIC KEY" in pem else None
            raise KeyFileError("not a PEM private key", where=where, advice=advice) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeyFileError("not an ECDSA key", where=where, expected="ECDSA P-256 or P-384", found=type(key).__name__)
        _scheme(key.curve, where)
        return cls(key)

    def save(self, path: Path, passphrase: bytes | None = None) -> None:
        """Write the key to a file that its owner alone can read, durably; it replaces what was there.

        Args:
            path: The file.
            passphrase: What to encrypt it with; None or empty for no encryption.

        Raises:
            StoreError: If it can't be written; `DiskFullError` if there is no room.
        """
        durable.write_bytes(path, self.pem(passphrase), mode=0o600)

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """Write the key as PKCS#8 PEM (RFC 5958).

        Args:
            passphrase: What to encrypt it with; None or empty for no encryption.

        Returns:
            The text.
        """
        encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return PublicKey(self.key.public_key())

    def sign(self, message: bytes) -> bytes:
        """Sign a message deterministically (RFC 6979), with SHA-256 on P-256 and SHA-384 on P-384.

        Args:
            message: Its bytes, unhashed.

        Returns:
            A DER-encoded ECDSA signature in canonical form.
        """
        return self.public_key.canonical_signature(self.key.sign(message, _scheme(self.key.curve, "private key")))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise KeyFileError(f"the key file can't be read ({error.strerror})", where=str(path)) from error
    if len(data) > MAX_KEY_FILE_BYTES:
        raise KeyFileError("too large for a key file", where=str(path), expected=f"at most {MAX_KEY_FILE_BYTES} bytes")
    return data
