"""DSSE envelopes."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.errors import DocumentError, LimitError, SignatureError
from sealift_core.schema.documents import Document, Json, canonical_json
from sealift_core.signing.dsse import Envelope, pre_authentication_encoding
from sealift_core.signing.keys import PrivateKey

KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()


def test_the_encoding_is_that_of_the_specification() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == expected


def test_lengths_count_bytes_and_not_characters() -> None:
    assert pre_authentication_encoding("é", "ü".encode()) == b"DSSEv1 2 \xc3\xa9 2 \xc3\xbc"


@given(st.binary(max_size=300))
def test_an_envelope_survives_the_wire(payload: bytes) -> None:
    data = canonical_json(Envelope.sign("text/plain", payload, KEY).json())
    envelope = Envelope.parse(Document.parse_json(data, where="x", max_bytes=10_000))
    assert envelope.open(KEY.public_key, "text/plain", where="x") == payload


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(SignatureError, match="the signature doesn't match"):
        Envelope.sign("text/plain", b"a", KEY).open(OTHER.public_key, "text/plain", where="x")


def test_another_type_does_not_open_it() -> None:
    with pytest.raises(SignatureError, match="expected text/html, found text/plain"):
        Envelope.sign("text/plain", b"a", KEY).open(KEY.public_key, "text/html", where="x")


def test_a_changed_payload_does_not_open() -> None:
    envelope = Envelope.sign("text/plain", b"a", KEY)
    changed = Envelope(payload_type="text/plain", payload=b"b", signatures=envelope.signatures)
    with pytest.raises(SignatureError):
        changed.open(KEY.public_key, "text/plain", where="x")


def test_an_unsigned_envelope_does_not_open() -> None:
    with pytest.raises(SignatureError, match="not signed"):
        Envelope(payload_type="text/plain", payload=b"a", signatures=()).open(KEY.public_key, "text/plain", where="x")


def test_one_good_signature_among_several_is_enough() -> None:
    both = (OTHER.sign(pre_authentication_encoding("t", b"a")), KEY.sign(pre_authentication_encoding("t", b"a")))
    assert Envelope(payload_type="t", payload=b"a", signatures=both).open(KEY.public_key, "t", where="x") == b"a"
    assert Envelope(payload_type="t", payload=b"a", signatures=both[::-1]).open(KEY.public_key, "t", where="x") == b"a"


def test_what_is_not_base64_is_named() -> None:
    fields = {"payloadType": "t", "payload": "%%%", "signatures": []}
    with pytest.raises(DocumentError, match=r"x\.payload: not base64"):
        Envelope.parse(Document(fields, "x"))


def parsed(**changed: Json) -> Envelope:
    return Envelope.parse(Document({**Envelope.sign("t", b"a", KEY).json(), **changed}, "x"))


def test_an_envelope_is_written_as_the_specification_has_it() -> None:
    envelope = Envelope.sign("text/plain", b"hello", KEY)
    written = envelope.json()
    assert written == {
        "payloadType": "text/plain",
        "payload": "aGVsbG8=",
        "signatures": [{"sig": base64.b64encode(KEY.sign(b"DSSEv1 10 text/plain 5 hello")).decode(), "keyid": ""}],
    }


@pytest.mark.parametrize("key", ["payloadType", "payload", "signatures"])
def test_an_envelope_without_a_field_is_refused(key: str) -> None:
    fields = Envelope.sign("t", b"a", KEY).json()
    del fields[key]
    with pytest.raises(DocumentError, match=f"^x: .*{key}"):
        Envelope.parse(Document(fields, "x"))


def test_a_signature_that_is_not_base64_is_named() -> None:
    with pytest.raises(DocumentError, match=r"x: signatures\[0\]\.sig: not base64"):
        parsed(signatures=[{"sig": "%%%"}])


def test_characters_outside_base64_are_refused_and_not_skipped() -> None:
    with pytest.raises(DocumentError, match=r"x\.payload: not base64"):
        parsed(payload="aGVs\nbG8=")


def test_sixteen_signatures_are_read_and_one_more_is_too_many() -> None:
    row = Envelope.sign("t", b"a", KEY).json()["signatures"]
    assert isinstance(row, list)
    assert len(parsed(signatures=row * 16).signatures) == 16
    with pytest.raises(LimitError, match=r"^x: signatures: too many"):
        parsed(signatures=row * 17)


def test_a_type_of_200_characters_is_read_and_one_more_is_too_long() -> None:
    assert len(parsed(payloadType="t" * 200).payload_type) == 200
    with pytest.raises(LimitError, match=r"^x: payloadType: too long"):
        parsed(payloadType="t" * 201)


def test_the_last_of_several_signatures_is_the_one_that_an_error_is_about() -> None:
    signature = OTHER.sign(pre_authentication_encoding("t", b"a"))
    with pytest.raises(SignatureError, match=f"^m: the signature doesn't match: expected a signature by the key {KEY.public_key.fingerprint[:16]}"):
        Envelope(payload_type="t", payload=b"a", signatures=(signature, signature, signature)).open(KEY.public_key, "t", where="m")
    with pytest.raises(SignatureError, match="^m: not signed$"):
        Envelope(payload_type="t", payload=b"a", signatures=()).open(KEY.public_key, "t", where="m")


def test_the_good_signature_may_stand_anywhere() -> None:
    message = pre_authentication_encoding("t", b"a")
    bad, good = OTHER.sign(message), KEY.sign(message)
    for at in range(4):
        signatures = tuple(good if index == at else bad for index in range(4))
        assert Envelope(payload_type="t", payload=b"a", signatures=signatures).open(KEY.public_key, "t", where="x") == b"a"


def test_the_type_is_signed_with_the_payload() -> None:
    envelope = Envelope.sign("text/plain", b"a", KEY)
    relabelled = Envelope(payload_type="text/html", payload=b"a", signatures=envelope.signatures)
    with pytest.raises(SignatureError, match="the signature doesn't match"):
        relabelled.open(KEY.public_key, "text/html", where="x")
