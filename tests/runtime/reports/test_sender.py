from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.errors import ConfigurationError, ReportError, TransportError
from sealift_core.http.http_session import HttpSession
from sealift_core.messages.receipt import Receipt
from sealift_core.signing.keys import PrivateKey
from sealift_runtime.reports import sender
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


def make_spool(folder: Path, reports: int) -> ReportSpool:
    spool = ReportSpool(folder / "reports.sqlite", PrivateKey.generate(), ManualClock())
    for number in range(reports):
        spool.add(HOST, [], [make_window(number)], [make_event(number + 1)])
    return spool


def test_a_hub_that_does_not_know_the_device_is_told_its_key_and_gets_every_report_in_order(
    hub: HubDouble, http: HttpSession, tmp_path: Path
) -> None:
    spool = make_spool(tmp_path, 3)
    assert send_pending(spool, hub.url + "/", http) == 3
    assert [report.number for report in hub.reports] == [1, 2, 3]
    assert [line.split()[0] for line in hub.requests] == ["POST", "PUT", "POST", "POST", "POST"]
    assert spool.pending() == []
    assert send_pending(spool, hub.url, http) == 0


def test_a_report_whose_answer_was_lost_is_sent_again_and_counted_once(hub: HubDouble, http: HttpSession, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 2)
    hub.enrol(spool.device, spool.public_key.pem())
    hub.take(spool.device, spool.pending()[0][1])
    assert send_pending(spool, hub.url, http) == 2
    assert [report.number for report in hub.reports] == [1, 2]


def test_a_hub_that_is_further_than_its_receipts_were_is_believed(hub: HubDouble, http: HttpSession, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 3)
    hub.enrol(spool.device, spool.public_key.pem())
    for _, envelope in spool.pending()[:2]:
        hub.take(spool.device, envelope)
    assert send_pending(spool, hub.url, http) == 3
    assert len(hub.requests) == 2


def test_a_hub_that_lost_what_it_acknowledged_is_named_with_what_to_do(hub: HubDouble, http: HttpSession, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 2)
    send_pending(spool, hub.url, http)
    spool.add(HOST, [], [], [])
    hub.envelopes[spool.device].pop()
    with pytest.raises(TransportError, match=r"127\.0\.0\.1.*the hub lost reports that it had acknowledged.*expected report 2.*Restore a newer copy"):
        send_pending(spool, hub.url, http)
    assert [number for number, _ in spool.pending()] == [3]


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
        (409, b'{"error": "gap", "acknowledged": 0}', "the hub lost reports"),
        (200, b"x" * 300_000, "isn't a receipt of a hub"),
    ],
)
def test_a_refusal_stops_with_the_hubs_words_and_keeps_every_report(
    hub: HubDouble, http: HttpSession, tmp_path: Path, status: int, body: bytes, words: str
) -> None:
    spool = make_spool(tmp_path, 2)
    hub.override = [(status, body)]
    with pytest.raises(TransportError, match=words):
        send_pending(spool, hub.url, http)
    assert len(spool.pending()) == 2


def test_a_failure_on_the_way_keeps_what_was_acknowledged(hub: HubDouble, http: HttpSession, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 2)
    hub.override = [(200, Receipt(device=spool.device, acknowledged=1).to_bytes()), (503, b'{"error": "busy"}')]
    with pytest.raises(TransportError, match="busy"):
        send_pending(spool, hub.url, http)
    assert [number for number, _ in spool.pending()] == [2]


def test_receipts_that_can_not_be_are_refused(hub: HubDouble, http: HttpSession, tmp_path: Path) -> None:
    spool = make_spool(tmp_path, 1)
    for device, number, words in ((spool.device, 7, "never made"), ("f" * 64, 1, "another device")):
        hub.override = [(200, Receipt(device=device, acknowledged=number).to_bytes())]
        with pytest.raises(ReportError, match=words):
            send_pending(spool, hub.url, http)
    assert len(spool.pending()) == 1


def test_a_refused_enrolment_says_nothing_of_copied_homes(hub: HubDouble, http: HttpSession, tmp_path: Path) -> None:
    hub.override = [(404, b"{}"), (400, b'{"error": "this hub accepts at most 5 devices"}')]
    with pytest.raises(TransportError, match="refused to enrol this device: found status 400: this hub accepts at most 5 devices") as caught:
        send_pending(make_spool(tmp_path, 1), hub.url, http)
    assert "restored" not in str(caught.value)


def test_a_server_that_is_no_hub_does_not_enrol(hub: HubDouble, http: HttpSession, tmp_path: Path) -> None:
    hub.override = [(404, b"not here"), (404, b"not here")]
    with pytest.raises(TransportError, match=r"refused to enrol this device.*Check that this is the address of a hub\."):
        send_pending(make_spool(tmp_path, 1), hub.url, http)


def test_a_hub_that_is_away_is_an_error_that_says_that_nothing_is_lost(http: HttpSession, tmp_path: Path) -> None:
    with running_hub() as hub:
        url = hub.url
    with pytest.raises(TransportError, match="can't be reached.*No report is lost"):
        send_pending(make_spool(tmp_path, 1), url, http)


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_hub_that_answers_byte_by_byte_is_left_when_the_time_is_up(
    answer: str, http: HttpSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "TIMEOUT_S", (0.15, 0.15))
    begun = time.monotonic()
    with trickling(answer) as url, pytest.raises(TransportError, match=r"can't be reached.*wasn't complete after.*No report is lost"):
        send_pending(make_spool(tmp_path, 1), url, http)
    assert time.monotonic() - begun < 5


def test_an_address_that_is_no_url_is_refused(http: HttpSession, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"not the address of a hub: expected http://HOST/PATH or https://HOST/PATH, found 'hub\.local:8000'"
    ):
        send_pending(make_spool(tmp_path, 1), "hub.local:8000", http)
