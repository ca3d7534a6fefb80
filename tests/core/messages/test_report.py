from __future__ import annotations

import dataclasses
import json

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.errors import DocumentError, ReportError, SignatureError
from sealift_core.messages.receipt import Receipt
from sealift_core.messages.report import PAYLOAD_TYPE, Report, Window, open_report, seal_report
from sealift_core.schema.documents import Document, canonical_json
from sealift_core.signing.dsse import Envelope
from sealift_core.signing.keys import PrivateKey
from support.windows import HOST, MODEL, NOON, make_event, make_feature, make_window

KEY = PrivateKey.generate()
REPORT = Report(
    device=KEY.public_key.fingerprint,
    number=2,
    previous=Digest.of(b"report 1"),
    created=NOON,
    host=HOST,
    models=(MODEL,),
    windows=(make_window(0), make_window(1, features=(), rows=0, failures={})),
    events=(make_event(1), make_event(2)),
)


def test_a_report_comes_out_of_its_envelope_as_it_went_in() -> None:
    assert open_report(seal_report(REPORT, KEY), KEY.public_key, where="r") == REPORT


def test_the_first_report_has_none_before_it() -> None:
    first = dataclasses.replace(REPORT, number=1, previous=None)
    assert open_report(seal_report(first, KEY), KEY.public_key, where="r").previous is None


def test_sealing_is_deterministic_so_a_digest_names_one_report() -> None:
    assert seal_report(REPORT, KEY) == seal_report(REPORT, KEY)


def test_another_keys_signature_is_refused() -> None:
    with pytest.raises(SignatureError, match="r: the signature doesn't match"):
        open_report(seal_report(REPORT, PrivateKey.generate()), KEY.public_key, where="r")


def test_a_report_that_was_changed_after_signing_is_refused() -> None:
    fields = json.loads(seal_report(REPORT, KEY))
    payload = Envelope.parse(Document(fields, "e")).payload.replace(b'"requests": 10', b'"requests": 99')
    forged = Envelope(payload_type=PAYLOAD_TYPE, payload=payload, signatures=Envelope.parse(Document(fields, "e")).signatures)
    with pytest.raises(SignatureError):
        open_report(canonical_json(forged.json()), KEY.public_key, where="r")


def test_another_kind_of_signed_document_is_no_report() -> None:
    envelope = Envelope.sign("application/vnd.in-toto+json", REPORT.to_bytes(), KEY)
    with pytest.raises(SignatureError, match="the signed content is of another type"):
        open_report(canonical_json(envelope.json()), KEY.public_key, where="r")


def test_a_device_can_not_report_for_another() -> None:
    foreign = dataclasses.replace(REPORT, device="0" * 64)
    with pytest.raises(ReportError, match="the report is from another device"):
        open_report(seal_report(foreign, KEY), KEY.public_key, where="r")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("number",), 0, "number: out of range"),
        (("windows", 0, "latency_counts"), [1, 2], "latency_counts: wrong number of buckets: expected 30, found 2"),
        (("windows", 0, "requests"), -1, r"windows\[0\]\.requests: out of range"),
        (("windows", 0, "features", 1, "distance"), "far", "distance: wrong type"),
        (("windows", 0, "bundle"), "sha256:xyz", "not a digest"),
        (("events", 0, "time"), "yesterday", "not a time"),
        (("device",), "press-7", "malformed"),
    ],
)
def test_a_report_with_a_wrong_field_is_refused_with_its_path(path: tuple[str | int, ...], value: object, words: str) -> None:
    fields = json.loads(REPORT.to_bytes())
    at = fields
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(DocumentError, match=words):
        Report.parse(json.dumps(fields).encode(), where="report")


def test_a_window_names_its_features_with_an_alarm() -> None:
    window: Window = make_window(0, features=(make_feature("a"), make_feature("b", alarm=True)))
    assert window.drifted == ("b",)


def test_a_receipt_survives_the_round_trip_and_refuses_a_negative_number() -> None:
    receipt = Receipt(device="a" * 64, acknowledged=7)
    assert Receipt.parse(receipt.to_bytes(), where="r") == receipt
    with pytest.raises(DocumentError, match="acknowledged: out of range"):
        Receipt.parse(receipt.to_bytes().replace(b"7", b"-7"), where="r")
