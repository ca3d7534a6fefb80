"""DSSE envelopes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.errors import DocumentError, SignatureError
from sealift_core.schema.documents import Document, canonical_json
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
