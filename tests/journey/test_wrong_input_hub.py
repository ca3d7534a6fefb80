"""What ``sealift-hub`` says to a mistake, and how it meets a full disk."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from support.cli import call, run
from support.hub import running_hub
from support.simulated import SimulatedDevice
from support.small_disk import small_disk
from support.workshop import assert_refused, refused_as_json


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = run("sealift-hub", "serve", "--data", tmp_path / "hub", "--port", port)
    message = f"error: 127.0.0.1:{port}: can't listen on this address (address already in use). Stop the program that uses it, or pass another --port"
    assert_refused(done, 6, message)


def test_a_medium_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "medium").mkdir()
    call("sealift-hub", "init", "--data", tmp_path / "hub").ok()
    done = call("sealift-hub", "import", tmp_path / "medium", "--data", tmp_path / "hub")
    assert_refused(
        done, 3, "medium: the medium holds no reports: expected a folder sealift-reports. Pass the directory that sealift-agent export wrote to."
    )
    assert list((tmp_path / "medium").iterdir()) == []


def test_errors_are_json_for_machines(tmp_path: Path) -> None:
    call("sealift-hub", "init", "--data", tmp_path / "hub").ok()
    done = call("sealift-hub", "import", tmp_path, "--data", tmp_path / "hub", "--json")
    assert "the medium holds no reports" in refused_as_json(done, 3, "MediumError")
    done = call("sealift-hub", "import", tmp_path / "none", "--data", tmp_path / "hub", "--json")
    assert "does not exist" in refused_as_json(done, 2, "BadParameter")


def test_a_database_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hub.sqlite").write_bytes(b"not a database, " * 100)
    for words in (["devices"], ["serve", "--port", "0"]):
        assert_refused(
            run("sealift-hub", *words, "--data", tmp_path / "hub"), 6, "hub.sqlite: the database failed, caused by: file is not a database"
        )


@pytest.mark.long
def test_a_hub_on_a_full_disk_says_so_and_takes_the_reports_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        data = disk.directory / "hub"
        disk.leave(0)
        for words in (["init"], ["serve", "--port", "0"]):
            assert_refused(
                run("sealift-hub", *words, "--data", data), 6, "the database failed, caused by: database or disk is full. Free some disk space"
            )
        disk.clear()
        assert run("sealift-hub", "init", "--data", data, "--json").ok().json["data"] == str(data)
        device = SimulatedDevice()
        with running_hub(data) as hub:
            disk.leave(0)
            refusals = [hub.enrol(device).status_code for _ in range(3)]
            assert all(code in (201, 200, 503, 507) for code in refusals), refusals
            assert hub.get("/healthz").status_code in (200, 503)
            disk.clear()
            assert hub.enrol(device).status_code in (200, 201)
            assert hub.device(device)["id"] == device.id
