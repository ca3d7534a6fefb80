from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.errors import ConfigurationError, ReportError, ReportsRefusedError, SignatureError, TransportError
from sealift_core.http.http_session import HttpSession
from sealift_core.messages.receipt import Receipt, seal_receipt
from sealift_core.signing.keys import PrivateKey, PublicKey
from sealift_runtime.reports import sender
from sealift_runtime.reports.hub_key import HubKey
from sealift_runtime.reports.sender import send_pending
from sealift_runtime.reports.spool import ReportSpool
from support.clocks import ManualClock
from support.hub_double import HubDouble, running_hub
from support.trickling import ANSWERS, trickling
from support.windows import HOST, make_event, make_window


@pytest.fixture
def hub() -> Iterator[HubDouble]:
    with running_hub() as server:
        yield server


@pytest.fixture
def http() -> Iterator[HttpSession]:
    with HttpSession() as session:
        yield session


@pytest.fixture
def key(tmp_path: Path) -> HubKey:
    """Nothing is pinned yet."""
    return HubKey(tmp_path / "hub.pub")


def make_spool(folder: Path, reports: int) -> ReportSpool:
    spool = ReportSpool(folder / "reports.sqlite", PrivateKey.generate(), ManualClock())
    for number in range(reports):
        spool.add(HOST, [], [make_window(number)], [make_event(number + 1)])
    return spool


def test_a_hub_that_does_not_know_the_device_is_told_its_key_and_gets_every_report_in_order(
    hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path
) -> None:
    spool = make_spool(tmp_path, 3)
    assert send_pending(spool, hub.url + "/", http, key) == 3
    assert [report.number for report in hub.reports] == [1, 2, 3]
    assert [line.split()[0] for line in hub.requests] == ["POST", "PUT", "POST", "POST", "POST"]
    assert spool.pending() == []
    assert send_pending(spool, hub.url, http, key) == 0


def test_a_report_whose_answer_was_lost_is_sent_again_and_counted_once(hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 2)
    hub.enrol(spool.device, spool.public_key.pem())
    hub.take(spool.device, spool.pending()[0][1])
    assert send_pending(spool, hub.url, http, key) == 2
    assert [report.number for report in hub.reports] == [1, 2]


def test_a_hub_that_is_further_than_its_receipts_were_is_believed(hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 3)
    hub.enrol(spool.device, spool.public_key.pem())
    for _, envelope in spool.pending()[:2]:
        hub.take(spool.device, envelope)
    assert send_pending(spool, hub.url, http, key) == 3
    assert len(hub.requests) == 2


def test_a_hub_that_lost_what_it_acknowledged_is_named_with_what_to_do(hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 3)
    send_pending(spool, hub.url, http, key)
    spool.add(HOST, [], [], [])
    del hub.envelopes[spool.device][1:]
    words = (
        r"127\.0\.0\.1.*the hub lost reports that it had acknowledged: expected report 2, found report 3 is the oldest that this device still has.*"
        rf"sealift-hub resume {spool.device[:12]}"
    )
    with pytest.raises(ReportsRefusedError, match=words):
        send_pending(spool, hub.url, http, key)
    assert [number for number, _ in spool.pending()] == [4]


def test_a_hub_that_was_set_back_by_one_report_gets_it_again(hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 3)
    send_pending(spool, hub.url, http, key)
    hub.envelopes[spool.device].pop()
    spool.add(HOST, [], [], [])
    assert send_pending(spool, hub.url, http, key) == 1
    assert [report.number for report in hub.reports] == [1, 2, 3, 3, 4]


def test_the_first_receipt_pins_the_hub_s_key_and_no_other_is_taken_from_then_on(hub: HubDouble, http: HttpSession, tmp_path: Path) -> None:
    pinned: list[PublicKey] = []
    spool = make_spool(tmp_path, 1)
    send_pending(spool, hub.url, http, HubKey(tmp_path / "hub.pub", on_first_use=pinned.append))
    assert pinned == [hub.key.public_key]
    assert (tmp_path / "hub.pub").stat().st_mode & 0o777 == 0o600
    spool.add(HOST, [], [], [])
    genuine, hub.key = hub.key, PrivateKey.generate()
    again = HubKey(tmp_path / "hub.pub", on_first_use=pinned.append)
    with pytest.raises(SignatureError, match=f"another key than the hub's: expected {genuine.public_key.fingerprint}, found"):
        send_pending(spool, hub.url, http, again)
    hub.key = genuine
    assert ([number for number, _ in spool.pending()], len(pinned)) == ([2], 1)
    assert send_pending(spool, hub.url, http, again) == 1


def test_a_key_that_the_operator_named_is_the_one_from_the_first_receipt_on(hub: HubDouble, http: HttpSession, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 1)
    with pytest.raises(SignatureError, match=f"expected {'0' * 64}, found {hub.key.public_key.fingerprint}"):
        send_pending(spool, hub.url, http, HubKey(tmp_path / "hub.pub", "0" * 64))
    assert not (tmp_path / "hub.pub").exists()
    assert send_pending(spool, hub.url, http, HubKey(tmp_path / "hub.pub", hub.key.public_key.fingerprint)) == 1


@pytest.mark.parametrize("signed", [False, True])
def test_a_receipt_that_the_hub_did_not_sign_drops_nothing(hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path, *, signed: bool) -> None:
    spool = make_spool(tmp_path, 2)
    send_pending(spool, hub.url, http, key)
    spool.add(HOST, [], [], [])
    forged = Receipt(device=spool.device, acknowledged=3)
    hub.override = [(200, seal_receipt(forged, PrivateKey.generate()) if signed else forged.to_bytes())]
    with pytest.raises(SignatureError, match="No report was dropped"):
        send_pending(spool, hub.url, http, key)
    assert spool.chain.acknowledged == 2
    assert [number for number, _ in spool.pending()] == [3]


def test_a_hub_that_says_again_and_again_that_reports_are_missing_is_left(hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 2)
    hub.enrol(spool.device, spool.public_key.pem())
    missing = (409, b'{"error": "gap", "acknowledged": 0}')
    hub.override = [(200, hub.receipt(spool.device, 1)), missing, (200, hub.receipt(spool.device, 1)), missing, missing]
    with pytest.raises(ReportsRefusedError, match="the hub lost reports"):
        send_pending(spool, hub.url, http, key)


def test_a_receipt_that_leaves_the_report_out_is_refused(hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 1)
    hub.override = [(200, hub.receipt(spool.device, 0))]
    with pytest.raises(ReportsRefusedError, match="leaves the report out: expected 1 or more, found 0"):
        send_pending(spool, hub.url, http, key)
    assert len(spool.pending()) == 1


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, b'{"error": "revoked"}', "the hub refused report 1.*status 403: revoked.*See the device's page on the hub"),
        (500, b"<html>", "status 500: b'<html>'.*No report is lost"),
        (500, b"[" * 60_000, r"status 500: b'\[\[\["),
        (500, b'{"error": ' + b"[" * 60_000, r"status 500: b'\{"),
        (500, b'{"error": {"a": 1}}', r"status 500: b'\{"),
        (409, b"[" * 60_000, "doesn't say which report it expects"),
        (302, b"", "status 302"),
        (200, b"<html>welcome</html>", "isn't a receipt of a hub"),
        (409, b'{"error": "gap"}', "doesn't say which report it expects"),
        (409, b'{"error": "gap", "acknowledged": -4}', "doesn't say which report it expects"),
        (409, b'{"error": "gap", "acknowledged": 9}', "doesn't say which report it expects"),
        (409, b'{"error": "gap", "acknowledged": 0}', "the hub lost reports"),
        (200, b"x" * 300_000, "isn't a receipt of a hub"),
    ],
)
def test_a_refusal_stops_with_the_hubs_words_and_keeps_every_report(
    hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path, status: int, body: bytes, words: str
) -> None:
    spool = make_spool(tmp_path, 2)
    hub.override = [(status, body)]
    with pytest.raises(TransportError, match=words):
        send_pending(spool, hub.url, http, key)
    assert len(spool.pending()) == 2


def test_a_failure_on_the_way_keeps_what_was_acknowledged(hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 2)
    hub.override = [(200, hub.receipt(spool.device, 1)), (503, b'{"error": "busy"}')]
    with pytest.raises(TransportError, match="busy"):
        send_pending(spool, hub.url, http, key)
    assert [number for number, _ in spool.pending()] == [2]


def test_receipts_that_can_not_be_are_refused(hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 1)
    for device, number, words in ((spool.device, 7, "never made"), ("f" * 64, 1, "another device")):
        hub.override = [(200, hub.receipt(device, number))]
        with pytest.raises(ReportError, match=words):
            send_pending(spool, hub.url, http, key)
    assert len(spool.pending()) == 1


def test_a_refused_enrolment_says_nothing_of_copied_homes(hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path) -> None:
    hub.override = [(404, b"{}"), (400, b'{"error": "this hub accepts at most 5 devices"}')]
    with pytest.raises(TransportError, match="refused to enrol this device: found status 400: this hub accepts at most 5 devices") as caught:
        send_pending(make_spool(tmp_path, 1), hub.url, http, key)
    assert "restored" not in str(caught.value)


def test_a_server_that_is_no_hub_does_not_enrol(hub: HubDouble, http: HttpSession, key: HubKey, tmp_path: Path) -> None:
    hub.override = [(404, b"not here"), (404, b"not here")]
    with pytest.raises(TransportError, match=r"refused to enrol this device.*Check that this is the address of a hub\."):
        send_pending(make_spool(tmp_path, 1), hub.url, http, key)


def test_a_hub_that_is_away_is_an_error_that_says_that_nothing_is_lost(http: HttpSession, key: HubKey, tmp_path: Path) -> None:
    with running_hub() as hub:
        url = hub.url
    with pytest.raises(TransportError, match="can't be reached.*No report is lost"):
        send_pending(make_spool(tmp_path, 1), url, http, key)


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_hub_that_answers_byte_by_byte_is_left_when_the_time_is_up(
    answer: str, http: HttpSession, key: HubKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "TIMEOUT_S", (0.15, 0.15))
    begun = time.monotonic()
    with trickling(answer) as url, pytest.raises(TransportError, match=r"can't be reached.*wasn't complete after.*No report is lost"):
        send_pending(make_spool(tmp_path, 1), url, http, key)
    assert time.monotonic() - begun < 5


def test_an_address_that_is_no_url_is_refused(http: HttpSession, key: HubKey, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"not the address of a hub: expected http://HOST/PATH or https://HOST/PATH, found 'hub\.local:8000'"
    ):
        send_pending(make_spool(tmp_path, 1), "hub.local:8000", http, key)
