"""The hub tells how a device stands to its channel in the device's words, counts no client's mistake, and takes ids as short as it prints them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from sealift_hub.errors import UnknownDeviceError
from sealift_hub.fleet import queries
from sealift_hub.storage.database import Database
from sealift_hub.storage.models import StoredDevice
from support.hub import hub_command, hub_json, made_hub, running_hub
from support.simulated import NOON, SimulatedDevice, installed, window

STANDING = "vibration 1.4.0 was rolled back and is refused since 2027-01-01T12:00:00Z: more alarms. 1.3.0 stays. Publish a mended version."


def test_a_device_behind_its_channel_is_told_in_its_own_words(tmp_path: Path) -> None:
    device = SimulatedDevice("lathe-2")
    model = installed(channel_version="1.4.0", condition="rolled back", standing=STANDING)
    device.report(models=[model], windows=[window(failures={"bad-request": 50, "model": 2})])
    device.export(tmp_path / "medium")
    hub_command("import", tmp_path / "medium", "--data", made_hub(tmp_path / "data")).ok()
    listed = hub_command("devices", "--data", tmp_path / "data").out
    assert "lathe-2" in listed
    assert "behind the channel" in listed
    assert STANDING in listed
    assert "2 failed" in listed, "a request that the model refuses is the client's mistake"
    [fields] = hub_json("devices", "--data", tmp_path / "data")["devices"]
    assert fields["behind"] is True
    assert (fields["models"][0]["channel_version"], fields["models"][0]["behind"], fields["models"][0]["standing"]) == ("1.4.0", True, STANDING)
    with running_hub(tmp_path / "data") as hub:
        for page in (hub.get("/").text, hub.get(f"/devices/{device.id[:12]}").text):
            assert "behind the channel" in page
            assert "1.4.0" in page
        assert STANDING in hub.get(f"/devices/{device.id[:12]}").text
        assert hub.get(f"/api/v1/devices/{device.id[:16]}").json()["id"] == device.id
        assert len(hub.get(f"/api/v1/devices/{device.id[:12]}/reports").json()["reports"]) == 1
        assert hub.get(f"/api/v1/devices/{device.id[:12]}/reports/1").content == device.sealed[0]
        assert hub.get(f"/api/v1/devices/{device.id[:7]}").status_code == 400


def test_a_device_as_its_channel_says_is_behind_nothing(tmp_path: Path) -> None:
    device = SimulatedDevice()
    device.report(models=[installed(channel_version="1.3.0", condition="current"), installed("older-agent")])
    device.export(tmp_path / "medium")
    hub_command("import", tmp_path / "medium", "--data", made_hub(tmp_path / "data")).ok()
    assert "behind" not in hub_command("devices", "--data", tmp_path / "data").out
    assert hub_json("devices", "--data", tmp_path / "data")["devices"][0]["behind"] is False


def test_the_beginning_of_an_id_stands_for_it_unless_it_is_that_of_several(tmp_path: Path) -> None:
    ids = ["a" * 20 + "0" * 44, "a" * 20 + "1" * 44, "b" * 64]
    with contextlib.closing(Database.in_directory(tmp_path)) as database:
        with database.writing() as session:
            session.add_all(StoredDevice(id=one, public_key="", enrolled=NOON, number=0, host={}) for one in ids)
        with database.reading() as session:
            assert queries.get_device(session, "b" * 12).id == ids[2]
            assert queries.get_device(session, "a" * 20 + "1").id == ids[1]
            assert queries.get_device(session, ids[0]).id == ids[0]
            with pytest.raises(UnknownDeviceError, match="several devices have an id that begins so.*Give more digits"):
                queries.get_device(session, "a" * 12)
            for wrong in ("c" * 12, "b" * 7, "", "%" * 12, "b" * 65):
                with pytest.raises(UnknownDeviceError, match="no such device"):
                    queries.get_device(session, wrong)
