"""What doctor says of telemetry follows from what it sees: the process's variables, and what onnxruntime keeps to send."""

from __future__ import annotations

import datetime
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.onnxruntime_environment import SILENT
from sealift_runtime.agent import telemetry
from sealift_runtime.agent.admin_client import DataPlaneClient
from support.agents import AgentUnderTest, device, wait_until
from support.offline import can_go_offline, offline
from support.repositories import Repository

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what a process has open is looked up in /proc")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentUnderTest]:
    repository = Repository(tmp_path / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    repository.add_release("1.0.0")
    with device(tmp_path / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json")
        yield made


def finding(agent: AgentUnderTest) -> tuple[str, str]:
    findings = agent.command("doctor", "--json").json["findings"]
    return next((entry["verdict"], entry["detail"]) for entry in findings if entry["check"] == "telemetry")


def test_doctor_says_that_it_is_off_here_and_in_the_server_that_runs(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, detail = finding(agent)
    assert verdict == "ok"
    assert detail.startswith("off here: ORT_DISABLE_TELEMETRY was 1 when onnxruntime ")
    monkeypatch.delenv(SILENT)  # the command that is started must set it by itself
    agent.start()
    monkeypatch.setenv(SILENT, "1")
    (server,) = agent.pids("data_plane")
    verdict, detail = finding(agent)
    assert (verdict, detail.partition(":")[0]) == ("ok", f"off here and in the data plane (process {server})")


def test_doctor_fails_where_the_variable_was_not_set(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SILENT, "0")
    verdict, detail = finding(agent)
    assert verdict == "failed"
    assert "may be on: here ORT_DISABLE_TELEMETRY was 0 instead of 1" in detail


def test_doctor_fails_where_onnxruntime_was_imported_too_early(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "IMPORTED_BEFORE", True)
    assert finding(agent)[0] == "failed"
    script = "import sys; sys.modules['onnxruntime'] = sys; import sealift_core.onnxruntime_environment as e; print(e.IMPORTED_BEFORE)"
    loud = {name: value for name, value in os.environ.items() if name != SILENT}
    for environment, before in ((loud, "True"), (loud | {SILENT: "1"}, "False")):
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == before


def test_doctor_fails_where_onnxruntime_keeps_something_to_send(agent: AgentUnderTest, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / telemetry.STORE
    folder.mkdir(parents=True)
    with (folder / "onnxruntime.db").open("w"), (folder / "onnxruntime.db-wal").open("w"):
        verdict, detail = finding(agent)
    assert verdict == "failed"
    assert detail.count(f"{folder} is open") == 1


def started(process: subprocess.Popen[bytes]) -> bool:
    return Path(f"/proc/{process.pid}/environ").read_bytes().startswith(b"PATH=/usr/bin")


def test_another_process_is_judged_by_what_it_was_started_with(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    for value, signs in (("1", ()), ("", (f"{SILENT} was not set instead of 1",))):
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={"PATH": "/usr/bin", SILENT: value})
        try:
            wait_until(functools.partial(started, process), 10, "it to start")
            assert telemetry.telemetry_of(process.pid) == signs
        finally:
            process.communicate()
    monkeypatch.setattr(DataPlaneClient, "process", lambda _: process.pid)  # it has ended
    assert finding(agent)[0] == "warning"


@pytest.mark.skipif(not can_go_offline(), reason="this machine lets nobody make a network namespace")
def test_onnxruntime_itself_is_seen_to_send_where_nobody_forbids_it(tmp_path: Path) -> None:
    loud = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH")} | {"HOME": str(tmp_path)}
    script = "import onnxruntime; print(onnxruntime.__version__, flush=True); input()"
    process = subprocess.Popen(offline(sys.executable, "-B", "-c", script), env=loud, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        version = process.stdout.readline().strip()
        signs = telemetry.telemetry_of(process.pid)
        stores = [sign for sign in signs if telemetry.STORE in sign]
        if tuple(int(part) for part in version.split(".")[:2]) < (1, 29):
            pytest.skip(f"onnxruntime {version} sends nothing from Linux")
        assert stores == [f"{next(tmp_path.rglob(telemetry.STORE))} is open"]
    finally:
        process.communicate("\n")
