"""The installed ``sealift-hub``, word by word."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest
import requests

from sealift_core.signing.keys import PrivateKey
from support.hub import COMMAND, hub_command, hub_json, made_hub, running_hub
from support.simulated import SimulatedDevice, installed, window


def test_import_tells_what_it_took_and_that_a_second_time_changes_nothing(tmp_path: Path) -> None:
    device = SimulatedDevice()
    device.report(models=[installed()], windows=[window()])
    device.export(tmp_path / "medium")
    first = hub_command("import", tmp_path / "medium", "--data", made_hub(tmp_path / "data"))
    assert first.code == 0
    assert "1 new, 0 known, 0 refused; enrolled; complete up to report 1" in first.out
    second = hub_command("import", tmp_path / "medium", "--data", tmp_path / "data")
    assert second.code == 0
    assert "nothing changed" in second.out
    [third] = hub_json("import", tmp_path / "medium", "--data", tmp_path / "data")["devices"]
    assert (third["device"], third["new"], third["known"], third["refused"]) == (device.id, 0, 1, [])


def test_import_ends_with_4_if_something_was_refused(tmp_path: Path) -> None:
    device = SimulatedDevice()
    device.report()
    device.report()
    (device.export(tmp_path / "medium") / "0000000001.json").unlink()
    done = hub_command("import", tmp_path / "medium", "--data", made_hub(tmp_path / "data"), "--json")
    assert done.code == 4
    assert "report 1 is missing" in json.loads(done.out)["devices"][0]["refused"][0]["reason"]
    assert json.loads(done.err)["kind"] == "RefusedReportError"


def test_devices_lists_the_fleet(tmp_path: Path) -> None:
    assert "No device has enrolled yet" in hub_command("devices", "--data", made_hub(tmp_path / "data")).out
    device = SimulatedDevice("lathe-2")
    device.report(models=[installed()], windows=[window()])
    device.export(tmp_path / "medium")
    hub_command("import", tmp_path / "medium", "--data", tmp_path / "data")
    assert "lathe-2" in hub_command("devices", "--data", tmp_path / "data").out
    [listed] = hub_json("devices", "--data", tmp_path / "data")["devices"]
    assert (listed["id"], listed["name"], listed["models"][0]["requests"]) == (device.id, "lathe-2", 100)


def test_the_data_directory_can_come_from_the_environment_and_every_command_says_which_it_used(tmp_path: Path) -> None:
    data = tmp_path / "from-environment"
    environment = os.environ | {"SEALIFT_HUB_DATA": str(data)}
    subprocess.run([COMMAND, "init"], env=environment, check=True, capture_output=True)
    assert (data / "hub.sqlite").is_file()
    SimulatedDevice().export(tmp_path / "medium")
    for words in (["init"], ["devices"], ["import", tmp_path / "medium"], ["resume", "--all"]):
        assert f"Data directory: {data}\n" in hub_command(*words, "--data", data).ok().out
        assert hub_json(*words, "--data", data)["data"] == str(data)


@pytest.mark.parametrize("words", [["devices"], ["import", "medium"], ["resume", "--all"], ["resume", "0" * 64]], ids=lambda words: words[0])
def test_only_init_and_serve_make_a_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    device = SimulatedDevice()
    device.report()
    folder = device.export(tmp_path / "medium")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name in ("none", "empty"):
        done = hub_command(*words, "--data", tmp_path / name)
        assert done.code == 6
        assert f"{tmp_path / name}: there is no hub in this data directory: expected a file hub.sqlite. Pass the directory of your hub" in done.err
    assert not (tmp_path / "none").exists()
    assert list((tmp_path / "empty").iterdir()) == []
    assert not (folder / "receipt.json").exists(), "no device drops anything for a hub that isn't there"


def test_init_makes_a_hub_once_and_tells_its_key(tmp_path: Path) -> None:
    first = hub_json("init", "--data", tmp_path / "data")
    assert hub_json("init", "--data", tmp_path / "data") == first
    assert PrivateKey.load(tmp_path / "data" / "hub-key.pem").public_key.fingerprint == first["key"]
    assert hub_json("init", "--new-key", "--data", tmp_path / "data")["key"] != first["key"]


def test_resume_takes_up_whoever_has_a_gap_and_tells_which(tmp_path: Path) -> None:
    data, device = made_hub(tmp_path / "data"), SimulatedDevice("lathe-2")
    for _ in range(3):
        device.report()
    (device.export(tmp_path / "medium") / "0000000001.json").unlink()
    assert "No device has a gap or a conflict." in hub_command("resume", "--all", "--data", data).out
    assert hub_command("import", tmp_path / "medium", "--data", data).code == 4
    assert "GAP: Its reports can't be taken: report 1 is missing." in hub_command("devices", "--data", data).out
    assert f"Device {device.id[:12]} is taken up again at its next report." in hub_command("resume", "--all", "--data", data).out
    [imported] = hub_json("import", tmp_path / "medium", "--data", data)["devices"]
    assert (imported["new"], imported["acknowledged"], imported["refused"]) == (2, 3, [])
    listed = hub_command("devices", "--data", data).out
    assert "Taken up again at report 2: report 1 is missing." in listed
    assert "GAP" not in listed
    [shown] = hub_json("devices", "--data", data)["devices"]
    assert (shown["gap"], [gap["number"] for gap in shown["interruptions"]]) == (None, [2])


def test_devices_are_named_and_removed_by_command(tmp_path: Path) -> None:
    data, device = made_hub(tmp_path / "data"), SimulatedDevice("own-name")
    device.report()
    device.export(tmp_path / "medium")
    hub_command("import", tmp_path / "medium", "--data", data).ok()
    assert "is called press 7." in hub_command("rename", device.id[:12], "press 7", "--data", data).ok().out
    assert hub_json("devices", "--data", data)["devices"][0]["name"] == "press 7"
    assert hub_command("rename", device.id, "a/b", "--data", data).code == 3
    done = hub_command("remove", device.id[:12], "--data", data)
    assert (done.code, f"This removes {device.id[:12]} press 7 and everything" in done.err) == (2, True)
    assert len(hub_json("devices", "--data", data)["devices"]) == 1
    assert hub_json("remove", device.id[:12], "--yes", "--data", data)["removed"] == [device.id]
    assert hub_json("devices", "--data", data)["devices"] == []


def test_hub_toml_says_how_many_devices_may_enrol(tmp_path: Path) -> None:
    data = made_hub(tmp_path / "data")
    (data / "hub.toml").write_text("[enrolment]\ndevices = 1\n")
    for _ in range(2):
        SimulatedDevice().export(tmp_path / "medium")
    done = hub_command("import", tmp_path / "medium", "--data", data)
    assert (done.code, "this hub accepts at most 1 devices" in done.out, "hub.toml" in done.out) == (4, True, True)


def test_resume_wants_to_know_whom(tmp_path: Path) -> None:
    assert hub_command("resume", "--data", made_hub(tmp_path / "data")).code == 2
    assert "no such device" in hub_command("resume", "0" * 64, "--data", tmp_path / "data").err


def test_a_port_in_use_is_named_with_advice(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = hub_command("serve", "--data", tmp_path, "--port", port)
    assert done.code == 6
    assert f"127.0.0.1:{port}: can't listen on this address (address already in use)" in done.err
    assert "another --port" in done.err


def test_an_address_of_another_machine_is_named_with_advice(tmp_path: Path) -> None:
    done = hub_command("serve", "--data", tmp_path, "--host", "192.0.2.1", "--port", "0")
    assert done.code == 6
    assert "192.0.2.1:0: can't listen on this address" in done.err


@pytest.mark.parametrize("host", ["hub..example", "a" * 64])
def test_a_host_that_can_be_none_is_named_with_advice(tmp_path: Path, host: str) -> None:
    done = hub_command("serve", "--data", tmp_path, "--host", host, "--port", "0")
    assert done.code == 6
    assert f"{host}:0: not a host name or an IP address. Pass an address of this machine with --host." in done.err


def test_a_hub_that_is_started_again_knows_its_devices(tmp_path: Path) -> None:
    device = SimulatedDevice()
    with running_hub(tmp_path / "data") as hub:
        hub.enrol(device)
        hub.send(device, device.report())
    with running_hub(tmp_path / "data") as hub:
        assert hub.send(device, device.report()).json()["acknowledged"] == 2


def test_a_hub_that_is_told_to_stop_finishes_the_answer_under_way(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    blob = repository / "blobs/sha256" / ("a" * 64)
    blob.parent.mkdir(parents=True)
    size = 64 * 2**20
    with blob.open("wb") as file:
        file.truncate(size)
    with running_hub(tmp_path / "data", repository) as hub:
        answer = requests.get(f"{hub.url}/repository/blobs/sha256/{'a' * 64}", stream=True, timeout=30)
        hub.process.terminate()
        assert sum(len(chunk) for chunk in answer.iter_content(2**20)) == size
        assert hub.process.wait(30) == 0
