"""model.sig: what it says byte for byte, and every way in which a statement that a trusted key signed is refused all the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.limits import LIMITS
from sealift_core.bundle.signature import PAYLOAD_TYPE, Statement, decode_signature, encode_signature, sign_directory
from sealift_core.errors import DocumentError, IntegrityError, LimitError, SignatureError
from sealift_core.schema.documents import Document, canonical_json
from sealift_core.signing.dsse import Envelope
from sealift_core.signing.keys import PrivateKey
from support.models import make_bundle

KEY = PrivateKey.generate()
FIRST, SECOND = Digest.of(b"first"), Digest.of(b"second")
STATEMENT = Statement(name="model", resources={"bundle.json": FIRST, "model.onnx": SECOND})


def fields() -> dict[str, Any]:
    return dict(json.loads(STATEMENT.to_bytes()))


def signed(payload: bytes, **changed: Any) -> bytes:
    envelope = Envelope.sign(PAYLOAD_TYPE, payload, KEY)
    return canonical_json({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": envelope.json(), **changed})


def test_a_statement_is_written_as_model_signing_has_it() -> None:
    assert fields() == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": hashlib.sha256(bytes.fromhex(FIRST.hex + SECOND.hex)).hexdigest()}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": ["model.sig"]},
            "resources": [
                {"name": "bundle.json", "algorithm": "sha256", "digest": FIRST.hex},
                {"name": "model.onnx", "algorithm": "sha256", "digest": SECOND.hex},
            ],
        },
    }


def test_a_signature_is_a_sigstore_bundle_that_names_its_key() -> None:
    bundle = json.loads(encode_signature(STATEMENT, KEY))
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert bundle["verificationMaterial"] == {"publicKey": {"hint": KEY.public_key.fingerprint}, "tlogEntries": []}
    assert bundle["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    assert [list(row) for row in bundle["dsseEnvelope"]["signatures"]] == [["keyid", "sig"]]
    assert [row["keyid"] for row in bundle["dsseEnvelope"]["signatures"]] == [""]


def test_a_signature_reads_back_equal() -> None:
    assert decode_signature(encode_signature(STATEMENT, KEY), KEY.public_key) == STATEMENT


def test_a_newer_minor_form_of_the_bundle_is_read() -> None:
    envelope = Envelope.sign(PAYLOAD_TYPE, STATEMENT.to_bytes(), KEY).json()
    data = canonical_json({"mediaType": "application/vnd.dev.sigstore.bundle+json;version=v0.3.1", "dsseEnvelope": envelope})
    assert decode_signature(data, KEY.public_key) == STATEMENT


@pytest.mark.parametrize("media_type", ["application/vnd.dev.sigstore.bundle.v0.2+json", "application/json;v0.3"])
def test_another_kind_of_signature_file_is_refused(media_type: str) -> None:
    with pytest.raises(DocumentError, match=r"m\.sig: mediaType: not a kind of signature that this version reads: expected app.*v0\.3"):
        decode_signature(signed(STATEMENT.to_bytes(), mediaType=media_type), KEY.public_key, where="m.sig")


def change(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(statement: dict[str, Any]) -> None:
        at: Any = statement
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value

    return apply


def repeat_a_file(statement: dict[str, Any]) -> None:
    statement["predicate"]["resources"].insert(0, dict(statement["predicate"]["resources"][1]))


def repeat_a_file_and_say_so_in_the_root(statement: dict[str, Any]) -> None:
    # The later of two entries would count: the root is made to agree with what is left of them.
    statement["predicate"]["resources"].append(dict(statement["predicate"]["resources"][1]))


CONTRADICTIONS: dict[str, Callable[[dict[str, Any]], None]] = {
    "another root": change("subject", 0, "digest", "sha256", value=FIRST.hex),
    "a file less": lambda statement: statement["predicate"]["resources"].pop(),
    "another order": lambda statement: statement["predicate"]["resources"].reverse(),
    "a file twice": repeat_a_file,
    "a file twice, with a root that agrees": repeat_a_file_and_say_so_in_the_root,
    "another digest": change("predicate", "resources", 0, "digest", value=SECOND.hex),
}


@pytest.mark.parametrize("spoil", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_statement_that_contradicts_itself_is_refused_though_it_is_signed(spoil: Callable[[dict[str, Any]], None]) -> None:
    statement = fields()
    spoil(statement)
    with pytest.raises(SignatureError, match=r"m\.sig: the statement contradicts itself: expected root [0-9a-f]{64}"):
        decode_signature(signed(canonical_json(statement)), KEY.public_key, where="m.sig")


FOREIGN: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "another statement": (change("_type", value="https://in-toto.io/Statement/v0.1"), r"m\.sig: _type: .*https://in-toto\.io/Statement/v1"),
    "another predicate": (change("predicateType", value="https://slsa.dev/provenance/v1"), r"m\.sig: predicateType: .*model_signing/signature"),
    "shards in place of files": (change("predicate", "serialization", "method", value="shards"), r"serialization\.method: .*files"),
    "another hash": (change("predicate", "serialization", "hash_type", value="blake2b"), r"serialization\.hash_type: .*sha256"),
    "another hash for a file": (change("predicate", "resources", 1, "algorithm", value="blake2b"), r"resources\[1\]\.algorithm: .*sha256"),
    "no digest": (change("predicate", "resources", 1, "digest", value="abc"), r"resources\[1\].*: not a digest"),
}


@pytest.mark.parametrize(("spoil", "message"), FOREIGN.values(), ids=FOREIGN)
def test_a_statement_of_another_form_is_refused_and_the_field_named(spoil: Callable[[dict[str, Any]], None], message: str) -> None:
    statement = fields()
    spoil(statement)
    with pytest.raises(DocumentError, match=message):
        decode_signature(signed(canonical_json(statement)), KEY.public_key, where="m.sig")


@pytest.mark.parametrize("key", ["_type", "predicateType", "predicate", "subject"])
def test_a_statement_without_a_field_is_refused(key: str) -> None:
    statement = fields()
    del statement[key]
    with pytest.raises(DocumentError, match=key):
        decode_signature(signed(canonical_json(statement)), KEY.public_key, where="m.sig")


def test_a_statement_about_no_model_or_about_two_is_refused() -> None:
    none = {**fields(), "subject": []}
    with pytest.raises(SignatureError, match=r"m\.sig: not a statement about one model: expected one subject, found 0"):
        decode_signature(signed(canonical_json(none)), KEY.public_key, where="m.sig")
    two = {**fields(), "subject": fields()["subject"] * 2}
    with pytest.raises(LimitError, match=r"m\.sig: subject: too many"):
        decode_signature(signed(canonical_json(two)), KEY.public_key, where="m.sig")


def test_a_path_that_is_too_long_is_refused() -> None:
    longest = "w" * LIMITS.path_characters
    statement = Statement(name="model", resources={longest: FIRST})
    assert decode_signature(encode_signature(statement, KEY), KEY.public_key) == statement
    with pytest.raises(LimitError, match=r"resources\[0\]\.name"):
        decode_signature(encode_signature(Statement(name="model", resources={longest + "w": FIRST}), KEY), KEY.public_key)


def test_a_digest_in_upper_case_is_refused() -> None:
    statement = fields()
    change("predicate", "resources", 1, "digest", value=SECOND.hex.upper())(statement)
    with pytest.raises(DocumentError, match="not a digest"):
        decode_signature(signed(canonical_json(statement)), KEY.public_key, where="m.sig")


def test_a_signature_file_with_more_values_than_an_envelope_has_is_refused_before_it_is_read() -> None:
    with pytest.raises(LimitError, match=r"m\.sig"):
        decode_signature(signed(STATEMENT.to_bytes(), padding=list(range(2000))), KEY.public_key, where="m.sig")


def test_a_payload_of_another_type_is_refused_though_it_is_signed() -> None:
    envelope = Envelope.sign("application/json", STATEMENT.to_bytes(), KEY)
    with pytest.raises(SignatureError, match=r"m\.sig: the signed content is of another type"):
        decode_signature(signed(b"", dsseEnvelope=envelope.json()), KEY.public_key, where="m.sig")


def test_an_error_names_model_sig_where_nothing_else_is_said() -> None:
    with pytest.raises(SignatureError, match=r"^model\.sig: "):
        decode_signature(encode_signature(STATEMENT, PrivateKey.generate()), KEY.public_key)
    with pytest.raises(SignatureError, match=r"^x\.sig: "):
        decode_signature(encode_signature(STATEMENT, PrivateKey.generate()), KEY.public_key, where="x.sig")


def test_a_file_outside_a_bundle_is_not_signed(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", model="sharded", key=KEY)
    (tmp_path / "bundle" / "setup.py").write_text("x")
    before = (tmp_path / "bundle" / files.SIGNATURE).read_bytes()
    with pytest.raises(IntegrityError, match=r"setup\.py: not a file of a bundle"):
        sign_directory(tmp_path / "bundle", "model", KEY)
    assert (tmp_path / "bundle" / files.SIGNATURE).read_bytes() == before


def test_a_directory_is_signed_under_its_name_with_the_digest_of_every_file_but_the_signature(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", model="sharded", key=KEY)
    sign_directory(tmp_path / "bundle", "another", KEY)
    statement = decode_signature((tmp_path / "bundle" / files.SIGNATURE).read_bytes(), KEY.public_key)
    listed = {name: path for name, path in files.list_files(tmp_path / "bundle").items() if name != files.SIGNATURE}
    assert statement == Statement(name="another", resources={name: Digest.of(path.read_bytes()) for name, path in listed.items()})


def test_the_root_of_a_statement_that_was_read_is_that_of_the_one_that_was_written() -> None:
    envelope = Envelope.parse(Document(Envelope.sign(PAYLOAD_TYPE, STATEMENT.to_bytes(), KEY).json(), "x"))
    assert Statement.parse(envelope.payload, where="x").root == STATEMENT.root


def test_a_media_type_of_200_characters_is_read_and_one_more_is_too_long() -> None:
    longest = "application/vnd.dev.sigstore.bundle.v0.3+json;".ljust(200, "x")
    assert decode_signature(signed(STATEMENT.to_bytes(), mediaType=longest), KEY.public_key) == STATEMENT
    with pytest.raises(LimitError, match="mediaType: too long"):
        decode_signature(signed(STATEMENT.to_bytes(), mediaType=longest + "x"), KEY.public_key)


def test_as_many_files_as_a_bundle_may_have_are_read_and_one_more_is_too_many() -> None:
    resources = {str(number): FIRST for number in range(LIMITS.files)}
    assert len(decode_signature(encode_signature(Statement(name="m", resources=resources), KEY), KEY.public_key).resources) == LIMITS.files
    with pytest.raises(LimitError, match=r"resources: too many"):
        decode_signature(encode_signature(Statement(name="m", resources={**resources, "x": FIRST}), KEY), KEY.public_key)
