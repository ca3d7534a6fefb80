from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sealift_core.errors import DocumentError, SignatureError
from sealift_core.messages.receipt import PAYLOAD_TYPE, Receipt, open_receipt, seal_receipt
from sealift_core.schema.documents import canonical_json
from sealift_core.signing.dsse import Envelope
from sealift_core.signing.keys import PrivateKey

HUB, STRANGER = PrivateKey.generate(), PrivateKey.generate()
PINNED = HUB.public_key.fingerprint
RECEIPT = Receipt(device="a" * 64, acknowledged=7)


@pytest.mark.parametrize("pinned", [None, PINNED], ids=["not pinned", "pinned"])
def test_a_receipt_survives_being_sealed_and_opened(pinned: str | None) -> None:
    opened = open_receipt(seal_receipt(RECEIPT, HUB), pinned, where="r")
    assert (opened.receipt, opened.key) == (RECEIPT, HUB.public_key)


def test_an_agent_of_before_reads_the_same_numbers() -> None:
    assert Receipt.parse(seal_receipt(RECEIPT, HUB), where="r") == RECEIPT


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    fields = json.loads(seal_receipt(RECEIPT, HUB))
    change(fields)
    return canonical_json(fields)


def other_type() -> object:
    return Envelope.sign("application/vnd.sealift.report.v1+json", RECEIPT.to_bytes(), HUB).json()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(RECEIPT.to_bytes(), r"r: the receipt isn't signed: expected .*\. Update the hub.*No report was dropped", id="as before"),
        pytest.param(changed(lambda fields: fields.pop("key")), "isn't signed", id="no key"),
        pytest.param(changed(lambda fields: fields.pop("signed")), "isn't signed", id="no envelope"),
        pytest.param(changed(lambda fields: fields.update(key="hello")), "key can't be read", id="no key at all"),
        pytest.param(
            seal_receipt(RECEIPT, STRANGER), f"another key than the hub's: expected {PINNED}, found .*--hub-key.*No report was dropped", id="foreign"
        ),
        pytest.param(
            changed(lambda fields: fields.update(signed=json.loads(seal_receipt(RECEIPT, STRANGER))["signed"])), "doesn't match", id="foreign inside"
        ),
        pytest.param(changed(lambda fields: fields.update(signed=other_type())), "of another type", id="signed as something else"),
        pytest.param(changed(lambda fields: fields["signed"].update(signatures=[])), "not signed", id="no signature"),
    ],
)
def test_what_the_pinned_key_did_not_sign_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(SignatureError, match=words):
        open_receipt(data, PINNED, where="r")


def test_only_what_is_signed_counts() -> None:
    data = changed(lambda fields: fields.update(acknowledged=99))
    assert open_receipt(data, PINNED, where="r").receipt.acknowledged == 7


def test_what_is_signed_must_be_a_receipt() -> None:
    data = changed(lambda fields: fields.update(signed=Envelope.sign(PAYLOAD_TYPE, b"{}", HUB).json()))
    with pytest.raises(DocumentError, match="schema"):
        open_receipt(data, PINNED, where="r")
