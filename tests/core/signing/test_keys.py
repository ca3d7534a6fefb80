"""Keys: made, stored, loaded, and refused with the reason."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from sealift_core.errors import KeyFileError, SignatureError
from sealift_core.signing.keys import PrivateKey, PublicKey

KEY = PrivateKey.generate()


def test_a_stored_key_loads_again(tmp_path: Path) -> None:
    KEY.save(tmp_path / "key.pem")
    assert PrivateKey.load(tmp_path / "key.pem").public_key.pem() == KEY.public_key.pem()
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_a_key_with_a_passphrase_needs_it(tmp_path: Path) -> None:
    KEY.save(tmp_path / "key.pem", b"open sesame")
    with pytest.raises(KeyFileError, match="is encrypted and needs a passphrase"):
        PrivateKey.load(tmp_path / "key.pem")
    with pytest.raises(KeyFileError, match="the passphrase is wrong"):
        PrivateKey.load(tmp_path / "key.pem", b"close sesame")
    assert PrivateKey.load(tmp_path / "key.pem", b"open sesame").public_key.fingerprint == KEY.public_key.fingerprint


def test_a_signature_verifies_and_another_message_does_not() -> None:
    signature = KEY.sign(b"message")
    KEY.public_key.verify(signature, b"message", where="x")
    with pytest.raises(SignatureError, match=r"model\.sig: the signature doesn't match"):
        KEY.public_key.verify(signature, b"another", where="model.sig")


@pytest.mark.parametrize("garbage", [b"", b"\x30", b"x" * 72])
def test_a_garbled_signature_is_refused(garbage: bytes) -> None:
    with pytest.raises(SignatureError):
        KEY.public_key.verify(garbage, b"message", where="x")


def test_signing_twice_gives_the_same_bytes() -> None:
    assert KEY.sign(b"message") == KEY.sign(b"message")


def test_a_p384_key_works_too() -> None:
    key = PrivateKey(ec.generate_private_key(ec.SECP384R1()))
    key.public_key.verify(key.sign(b"m"), b"m", where="x")


def test_the_fingerprint_is_the_hash_of_the_pem_text() -> None:
    assert KEY.public_key.fingerprint == hashlib.sha256(KEY.public_key.pem()).hexdigest()


def test_a_private_key_given_as_public_is_told_apart(tmp_path: Path) -> None:
    KEY.save(tmp_path / "key.pem")
    with pytest.raises(KeyFileError, match="This is a private key"):
        PublicKey.load(tmp_path / "key.pem")


def test_a_public_key_given_as_private_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_bytes(KEY.public_key.pem())
    with pytest.raises(KeyFileError, match="This is a public key"):
        PrivateKey.load(tmp_path / "key.pub")


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"nowhere\.pem: the key file can't be read \(No such file or directory\)"):
        PrivateKey.load(tmp_path / "nowhere.pem")


def test_other_kinds_of_keys_are_refused() -> None:
    edwards = ed25519.Ed25519PrivateKey.generate().public_key()
    pem = edwards.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyFileError, match="expected ECDSA P-256 or P-384"):
        PublicKey.from_pem(pem)
    curve = ec.generate_private_key(ec.SECP256K1()).public_key()
    pem = curve.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyFileError, match="found secp256k1"):
        PublicKey.from_pem(pem)


def test_a_huge_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"x" * 100_000)
    with pytest.raises(KeyFileError, match="too large for a key file"):
        PrivateKey.load(tmp_path / "key.pem")
