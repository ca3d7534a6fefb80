"""The database of an earlier version's hub: today's hub opens it, shows what is in it, and takes further reports of its device."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from support.hub import hub_json, running_hub
from support.made_before import COMMITS, MadeBefore


@pytest.fixture(params=COMMITS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> MadeBefore:
    return MadeBefore.copy(request.param, tmp_path / "made")


def reports(made: MadeBefore) -> int:
    """How many reports are in the database."""
    database = sqlite3.connect(made.hub / "hub.sqlite")
    (number,) = database.execute("SELECT count(*) FROM reports").fetchone()
    database.close()
    return int(number)


def models(device: Any) -> dict[str, str]:
    return {model["name"]: model["version"] for model in device["models"]}


def test_the_devices_are_listed(made: MadeBefore) -> None:
    (device,) = hub_json("devices", "--data", made.hub)["devices"]
    assert device["id"] == made.device_key.fingerprint
    assert models(device) == {"digits": "1.0.0", "iris": "1.0.0"}


def test_windows_from_the_future_no_longer_hide_the_others(made: MadeBefore) -> None:
    database = sqlite3.connect(made.hub / "hub.sqlite")
    database.execute("""UPDATE windows SET "end" = '2099-01-01 00:00:00.000000'""")
    database.execute("UPDATE device_models SET until = '2099-01-01 00:00:00.000000'")
    database.commit()
    database.close()
    (device,) = hub_json("devices", "--data", made.hub)["devices"]
    assert all(model["until"] <= device["last_seen"] for model in device["models"])
    database = sqlite3.connect(made.hub / "hub.sqlite")
    ends = database.execute("""SELECT "end", received FROM windows JOIN reports USING (device_id) WHERE number = report_number""").fetchall()
    database.close()
    assert ends
    assert all(end <= received for end, received in ends)


def test_every_page_opens_and_the_repository_is_served(made: MadeBefore) -> None:
    device = made.device_key.fingerprint
    with running_hub(made.hub, made.repository) as hub:
        for page in ("/", f"/devices/{device}", "/api/v1/devices", f"/api/v1/devices/{device}"):
            answer = hub.get(page)
            assert (page, answer.status_code) == (page, 200)
            assert "iris" in answer.text
        assert len(hub.get(f"/api/v1/devices/{device}/reports").json()["reports"]) == reports(made)
        assert hub.get("/repository/metadata/timestamp.json").content == (made.repository / "metadata" / "timestamp.json").read_bytes()


def test_reports_that_the_device_sealed_then_are_taken_over_http(made: MadeBefore) -> None:
    device, before = made.device_key.fingerprint, reports(made)
    waiting = sorted(made.exported.glob(f"sealift-reports/{device}/0*.json"))
    assert waiting
    with running_hub(made.hub) as hub:
        for path in waiting:
            answer = hub.post(f"/api/v1/devices/{device}/reports", path.read_bytes())
            assert (path.name, answer.status_code) == (path.name, 200)
            assert answer.json()["acknowledged"] == int(path.stem)
        again = hub.post(f"/api/v1/devices/{device}/reports", waiting[0].read_bytes())
        assert again.json()["acknowledged"] == int(waiting[-1].stem)
    assert reports(made) == before + len(waiting)


def test_reports_that_the_device_exported_then_are_imported_once(made: MadeBefore) -> None:
    before = reports(made)
    waiting = len(list(made.exported.glob("sealift-reports/*/0*.json")))
    first = hub_json("import", made.exported, "--data", made.hub)
    again = hub_json("import", made.exported, "--data", made.hub)
    assert [device["new"] for device in first["devices"]] == [waiting]
    assert [device["new"] for device in again["devices"]] == [0]
    assert reports(made) == before + waiting
