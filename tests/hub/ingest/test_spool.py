"""The device's own spool against the hub's own intake: over HTTP, and over a medium that somebody carries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.errors import ReportsRefusedError
from sealift_core.http.http_session import HttpSession
from sealift_core.messages.report import Event
from sealift_core.signing.keys import PrivateKey
from sealift_runtime.reports.hub_key import HubKey
from sealift_runtime.reports.medium import export_reports, import_receipt
from sealift_runtime.reports.sender import send_pending
from sealift_runtime.reports.spool import ReportSpool
from support.clocks import ManualClock
from support.hub import RunningHub, hub_json, running_hub
from support.simulated import HOUR, NOON, drift, installed, window


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    with running_hub(tmp_path / "data") as running:
        yield running


@pytest.fixture
def spool(tmp_path: Path) -> ReportSpool:
    return ReportSpool(tmp_path / "reports.sqlite", PrivateKey.generate(), ManualClock())


def fill(spool: ReportSpool, number: int) -> None:
    spool.add(
        {"name": "press-7"},
        [installed()],
        [window(end=NOON + number * HOUR, features=[drift("speed", 0.2)])],
        [Event(number=number, time=NOON, kind="activated", model="vibration", version="1.3.0")],
    )


def test_reports_go_by_http_and_then_by_medium_and_the_chain_stays_whole(hub: RunningHub, spool: ReportSpool, tmp_path: Path) -> None:
    key = HubKey(tmp_path / "hub.pub")
    with HttpSession() as http:
        fill(spool, 1)
        fill(spool, 2)
        assert send_pending(spool, hub.url, http, key) == 2
        assert spool.pending() == []
        fill(spool, 3)
        (tmp_path / "medium").mkdir()
        assert export_reports(spool, tmp_path / "medium") == 1
        fill(spool, 4)
        [imported] = hub_json("import", tmp_path / "medium", "--data", hub.data)["devices"]
        assert (imported["new"], imported["refused"], imported["acknowledged"]) == (1, [], 3)
        import_receipt(spool, tmp_path / "medium", key)
        assert [number for number, _ in spool.pending()] == [4]
        assert send_pending(spool, hub.url, http, key) == 1
    seen = hub.get(f"/api/v1/devices/{spool.device}").json()
    assert (seen["number"], seen["name"], seen["models"][0]["drifted"]) == (4, "press-7", ["speed"])


def test_a_hub_that_lost_its_database_takes_its_devices_up_again_by_one_command(spool: ReportSpool, tmp_path: Path) -> None:
    key = HubKey(tmp_path / "hub.pub")
    with HttpSession() as http:
        with running_hub(tmp_path / "data") as hub:
            for number in (1, 2, 3):
                fill(spool, number)
            assert send_pending(spool, hub.url, http, key) == 3
        for file in (tmp_path / "data").glob("hub.sqlite*"):
            file.unlink()
        fill(spool, 4)
        with running_hub(tmp_path / "data") as hub:
            with pytest.raises(ReportsRefusedError, match=f"the hub lost reports.*sealift-hub resume {spool.device[:12]}"):
                send_pending(spool, hub.url, http, key)
            assert hub.get(f"/api/v1/devices/{spool.device}").json()["gap"] == "reports 1 to 2 are missing"
            assert "Reports 1 to 2 are missing" in hub.get(f"/devices/{spool.device}").text
            assert hub_json("resume", "--all", "--data", hub.data)["devices"] == [spool.device]
            assert send_pending(spool, hub.url, http, key) == 1
            seen = hub.get(f"/api/v1/devices/{spool.device}").json()
            page = hub.get(f"/devices/{spool.device}").text
    assert (seen["number"], seen["gap"], seen["models"][0]["requests"]) == (4, None, 200), "the report that it had kept is here again, too"
    assert [gap["reason"] for gap in seen["interruptions"]] == ["Taken up again at report 3: reports 1 to 2 are missing."]
    assert "Taken up again at report 3: reports 1 to 2 are missing." in page
