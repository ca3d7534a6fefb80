"""Keys: made, stored, loaded, and refused with the reason."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from sealift_core.errors import KeyFileError, PassphraseError, SignatureError
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
    with pytest.raises(KeyFileError, match=r"^k\.pub: not a usable curve: expected P-256 or P-384, found secp256k1"):
        PublicKey.from_pem(pem, where="k.pub")


def test_a_huge_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"x" * 100_000)
    with pytest.raises(KeyFileError, match="too large for a key file"):
        PrivateKey.load(tmp_path / "key.pem")


P384 = PrivateKey(ec.generate_private_key(ec.SECP384R1()))
ORDERS = {
    "P-256": 2**256 - 2**224 + 2**192 - 0x4319055258E8617B0C46353D039CDAAF,
    "P-384": 2**384 - 0x389CB27E0BC8D220A7E5F24DB74F58851313E695333AD68D,
}


def test_the_hash_follows_the_curve() -> None:
    for key, hash_, hash_name in ((KEY, hashes.SHA256(), "sha256"), (P384, hashes.SHA384(), "sha384")):
        assert key.public_key.hash_name == hash_name
        key.public_key.key.verify(key.sign(b"m"), b"m", ec.ECDSA(hash_))


@pytest.mark.parametrize(("key", "order"), [(KEY, ORDERS["P-256"]), (P384, ORDERS["P-384"])], ids=ORDERS)
def test_of_the_two_values_that_check_a_signature_has_the_smaller(key: PrivateKey, order: int) -> None:
    for number in range(16):
        message = str(number).encode()
        r, s = decode_dss_signature(key.sign(message))
        assert s <= order // 2
        other = encode_dss_signature(r, order - s)
        key.public_key.verify(other, message, where="x")  # it checks, too
        assert key.public_key.canonical_signature(other) == key.sign(message)


def test_signing_again_after_loading_gives_the_same_bytes_as_rfc_6979_has_it() -> None:
    # RFC 6979, A.2.5: P-256, SHA-256, message "sample"; its s is the larger of the two, so ours is the other.
    number = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    r, s = decode_dss_signature(PrivateKey(ec.derive_private_key(number, ec.SECP256R1())).sign(b"sample"))
    assert r == 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
    assert ORDERS["P-256"] - s == 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8


def test_a_signature_that_does_not_match_names_the_key_that_was_expected() -> None:
    with pytest.raises(SignatureError, match=f"expected a signature by the key {KEY.public_key.fingerprint[:16]}…"):
        KEY.public_key.verify(P384.sign(b"m"), b"m", where="x")


def test_a_stored_key_is_in_pem_and_unreadable_without_its_passphrase() -> None:
    assert KEY.pem().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert KEY.pem(b"").startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert KEY.pem(b"open sesame").startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert KEY.public_key.pem().startswith(b"-----BEGIN PUBLIC KEY-----\n")


def test_a_passphrase_that_is_missing_or_wrong_can_be_asked_for_again(tmp_path: Path) -> None:
    KEY.save(tmp_path / "key.pem", b"open sesame")
    for passphrase in (None, b"close sesame"):
        with pytest.raises(PassphraseError, match=r"key\.pem"):
            PrivateKey.load(tmp_path / "key.pem", passphrase)


def test_a_passphrase_for_a_key_that_has_none_is_refused(tmp_path: Path) -> None:
    KEY.save(tmp_path / "key.pem")
    with pytest.raises(KeyFileError, match=r"key\.pem: the key isn't encrypted, but a passphrase was given") as error:
        PrivateKey.load(tmp_path / "key.pem", b"open sesame")
    assert not isinstance(error.value, PassphraseError)


@pytest.mark.parametrize("passphrase", [None, b"open sesame"])
def test_what_is_no_key_is_refused_with_or_without_a_passphrase_and_none_is_asked_for(tmp_path: Path, passphrase: bytes | None) -> None:
    (tmp_path / "key.pem").write_bytes(b"nonsense")
    with pytest.raises(KeyFileError, match=r"key\.pem: not a PEM private key$") as error:
        PrivateKey.load(tmp_path / "key.pem", passphrase)
    assert not isinstance(error.value, PassphraseError)
    with pytest.raises(KeyFileError, match=r"key\.pem: not a PEM public key$"):
        PublicKey.load(tmp_path / "key.pem")
    with pytest.raises(KeyFileError, match=r"^public key: not a PEM public key$"):
        PublicKey.from_pem(b"nonsense")


def test_other_kinds_of_private_keys_are_refused(tmp_path: Path) -> None:
    for key, found in ((ed25519.Ed25519PrivateKey.generate(), "Ed25519PrivateKey"), (ec.generate_private_key(ec.SECP256K1()), "secp256k1")):
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (tmp_path / "key.pem").write_bytes(key.private_bytes(*form))
        with pytest.raises(KeyFileError, match=rf"key\.pem: .*expected .*P-256 or P-384, found .*{found}"):
            PrivateKey.load(tmp_path / "key.pem")


def test_a_key_file_of_64_kib_is_read_and_one_byte_more_is_too_much(tmp_path: Path) -> None:
    pem = KEY.public_key.pem()
    (tmp_path / "key.pub").write_bytes(pem + b"\n" * (64 * 1024 - len(pem)))
    assert PublicKey.load(tmp_path / "key.pub") == PublicKey.load(tmp_path / "key.pub")
    (tmp_path / "key.pub").write_bytes(pem + b"\n" * (64 * 1024 - len(pem) + 1))
    with pytest.raises(KeyFileError, match=r"key\.pub: too large for a key file: expected at most 65536 bytes"):
        PublicKey.load(tmp_path / "key.pub")
