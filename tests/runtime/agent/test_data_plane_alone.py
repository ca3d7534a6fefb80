"""The data plane with nothing but one document and what that names: no database, no agent.toml, no keys, no control plane."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_core.bundle import files
from sealift_core.errors import IntegrityError, SealiftError
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.monitors import LOST_S
from sealift_runtime.update.desired import DesiredState
from sealift_runtime.update.desired_file import DesiredFile
from support.agents import AgentUnderTest, device, wait_until
from support.models import MODELS, answer
from support.repositories import Repository, flip

X = MODELS["linear"].requests[1]["x"]
REQUEST = [{"name": "x", "shape": list(X.shape), "datatype": "FP32", "data": X.ravel().tolist()}]
#: Runs the data plane and writes down each file that Python opens in it, and each database.
RECORDER = """
import os, runpy, sys
log, sys.argv = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.argv[1:]
def record(event, arguments):
    if event in ("open", "sqlite3.connect"):
        os.write(log, f"{event} {arguments[0]!s}\\n".encode(errors="replace"))
sys.addaudithook(record)
runpy.run_module("sealift_runtime.agent.data_plane", run_name="__main__")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with 1.0.0 and 1.1.0 of a model, the newer one current."""
    place = tmp_path_factory.mktemp("installed")
    repository = Repository(place / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    with device(place / "device") as agent:
        for version in ("1.0.0", "1.1.0"):
            repository.add_release(version)
            if version == "1.0.0":
                agent.init(repository.directory, repository.metadata / "1.root.json", timing__probation_s="0")
            for _ in range(2):  # to the end of the probation
                agent.command("sync").ok()
    return place / "device"


@pytest.fixture
def home(installed: Path, tmp_path: Path) -> Path:
    """Of that home, only what the data plane is to need."""
    for name in ("store", "bundles"):
        shutil.copytree(installed / name, tmp_path / "home" / name)
    shutil.copy(installed / "desired.json", tmp_path / "home")
    return tmp_path / "home"


@contextlib.contextmanager
def data_plane(home: Path, *argv: str) -> Iterator[AgentUnderTest]:
    """The data plane of a home, as a process of its own."""
    command = [*(argv or (sys.executable, "-P", "-m", "sealift_runtime.agent.data_plane")), str(home), "127.0.0.1", "0"]
    agent = AgentUnderTest(home)
    with agent.log.open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        wait_until(lambda: (home / "run" / "server.json").exists() or process.poll() is not None, 60, "it to listen")
        assert process.poll() is None, agent.log.read_text()
        yield agent
    finally:
        process.terminate()
        process.communicate()


def desired(home: Path) -> DesiredState:
    document = DesiredFile(home).read()
    assert document
    return document


def test_it_serves_by_its_document_alone(home: Path) -> None:
    with data_plane(home) as agent:
        scores = agent.infer("linear", REQUEST)
    np.testing.assert_allclose(scores["outputs"][0]["data"], answer("linear", {"x": X})["scores"].ravel(), rtol=1e-6)
    assert scores["model_version"] == "1.1.0"
    assert sorted(path.name for path in home.iterdir()) == ["bundles", "desired.json", "run", "store", "windows.json"]


def test_it_opens_nothing_else_of_a_whole_home_and_no_database(installed: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(installed, whole)
    with data_plane(whole, sys.executable, "-P", "-c", RECORDER, str(tmp_path / "opened")) as agent:
        agent.infer("linear", REQUEST)
        DataPlaneClient(whole / "run" / "agent.sock").follow(desired(whole), "linear")
    opened = (tmp_path / "opened").read_text().splitlines()
    assert not [line for line in opened if line.startswith("sqlite3.connect") or ".sqlite" in line]
    places = {Path(line.partition(" ")[2]).relative_to(whole).parts[0] for line in opened if f" {whole}/" in line}
    assert "desired.json" in places
    assert places <= {"desired.json", "store", "bundles", "run", "windows.json"}


#: Runs the data plane with one function that raises.
FAULTY = """
import importlib, runpy, sys
module, _, name = sys.argv[1].partition(":")
target, attribute = importlib.import_module(module), name
if "." in name:
    target, attribute = getattr(target, name.split(".")[0]), name.split(".")[1]
def fail(*_, **__):
    raise RuntimeError("made to fail")
setattr(target, attribute, fail)
sys.argv = sys.argv[1:]
runpy.run_module("sealift_runtime.agent.data_plane", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("function", "part"),
    [
        ("sealift_runtime.monitoring.counting:BinCounts.add", "monitoring"),
        ("sealift_runtime.agent.monitors:Monitors.tick", "monitoring"),
        ("sealift_runtime.agent.monitors:Monitors.begin", "monitoring"),
        ("sealift_runtime.agent.monitors:render", "monitoring"),
        ("sealift_runtime.measuring.service:MeasurementService.tick", "measuring"),
    ],
)
def test_what_fails_beside_the_request_path_is_told_and_serving_goes_on(home: Path, function: str, part: str) -> None:
    document = desired(home)
    settings = dataclasses.replace(document.settings, window_s=0.1, window_rows=1)
    DesiredFile(home).write(dataclasses.replace(document, settings=settings))
    with data_plane(home, sys.executable, "-P", "-c", FAULTY, function) as agent:
        client = DataPlaneClient(home / "run" / "agent.sock")
        before = client.process()

        def told() -> bool:
            assert agent.infer("linear", REQUEST)["model_version"] == "1.1.0"
            return bool(client.faults())

        wait_until(told, 60, "the fault to be told")
        fault = client.faults()[0]
        assert (fault.part, "RuntimeError: made to fail" in fault.detail) == (part, True)
        client.acknowledge_faults(fault.number)
        assert fault not in client.faults()
        if "render" not in function:
            counted = f'sealift_background_failures_total{{part="{part}"}}'
            wait_until(lambda: counted in metrics(agent) or "tick" in function, 30, "the failure to be counted")
        assert client.process() == before


def metrics(agent: AgentUnderTest) -> str:
    with urllib.request.urlopen(agent.url + "/metrics", timeout=30) as reply:
        return str(reply.read().decode())


def test_after_a_kill_the_requests_of_the_window_that_was_open_are_counted(home: Path) -> None:
    document = desired(home)
    DesiredFile(home).write(dataclasses.replace(document, settings=dataclasses.replace(document.settings, window_s=3600, window_rows=100)))
    command = [sys.executable, "-P", "-m", "sealift_runtime.agent.data_plane", str(home), "127.0.0.1", "0"]
    agent = AgentUnderTest(home)
    with agent.log.open("ab") as log, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log) as process:
        wait_until((home / "run" / "server.json").exists, 60, "it to listen")
        for _ in range(3):
            agent.infer("linear", REQUEST)
        wait_until(lambda: (home / "windows.json").exists() and '"requests":3' in (home / "windows.json").read_text(), LOST_S, "what was counted")
        process.kill()
    (home / "run" / "server.json").unlink()
    (home / "desired.json").unlink()  # nothing serves any more, so the window ends
    with data_plane(home):
        client = DataPlaneClient(home / "run" / "agent.sock")
        assert [numbered.window.requests for numbered in wait_until(client.windows, 30, "the window")] == [3]


def test_an_older_document_is_refused(home: Path) -> None:
    document = desired(home)
    assert document.generation > 1
    older = DesiredState(generation=document.generation - 1)
    with data_plane(home) as agent:
        client = DataPlaneClient(home / "run" / "agent.sock")
        assert client.generation() == document.generation
        with pytest.raises(SealiftError, match="the desired state is older than the current one"):
            client.follow(older)
        assert agent.serving() == "1.1.0"


def test_a_document_swaps_and_one_that_names_nothing_ends_what_serves(home: Path) -> None:
    document = desired(home)
    model = document.model("linear")
    assert model
    assert model.previous
    back = type(model)(name="linear", current=model.previous, previous=None)
    with data_plane(home) as agent:
        client = DataPlaneClient(home / "run" / "agent.sock")
        client.follow(DesiredState(generation=document.generation + 1, models=(back,)))
        assert agent.serving() == "1.0.0"
        client.follow(DesiredState(generation=document.generation + 2))
        assert agent.serving() is None


def status_under(agent: AgentUnderTest, name: str) -> int:
    """The status of an answer to a request that is asked under a name."""
    try:
        with urllib.request.urlopen(urllib.request.Request(agent.url + "/v2", headers={"Host": name}), timeout=30) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_settings_of_a_document_hold_at_once(home: Path) -> None:
    document = desired(home)
    settings = dataclasses.replace(document.settings, hosts=("models.example.org",))
    with data_plane(home) as agent:
        assert status_under(agent, "models.example.org") == 421
        newer = dataclasses.replace(document, generation=document.generation + 1, settings=settings)
        DataPlaneClient(home / "run" / "agent.sock").follow(newer)
        assert status_under(agent, "models.example.org") == 200


def test_a_current_bundle_that_this_disk_damaged_gives_way_to_the_previous_one(home: Path) -> None:
    model = desired(home).model("linear")
    assert model
    assert model.current
    shutil.rmtree(model.current.directory)
    with data_plane(home) as agent:
        wait_until(lambda: agent.serving() == "1.0.0", 30, "the previous version to serve")
        assert answered(agent, "/v2/health/ready")[0] == 200


def answered(agent: AgentUnderTest, path: str, method: str = "GET") -> tuple[int, dict[str, str], Any]:
    """Status, headers and document of an answer."""
    request = urllib.request.Request(agent.url + path, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return int(reply.status), dict(reply.headers), json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), json.load(error)


def test_a_model_that_this_disk_damaged_is_unavailable_everywhere_and_says_why(home: Path) -> None:
    model = desired(home).model("linear")
    assert model
    for bundle in (model.current, model.previous):
        assert bundle
        flip(bundle.directory / files.GRAPH, 40)
    with data_plane(home) as agent:
        reason = wait_until(lambda: DataPlaneClient(home / "run" / "agent.sock").absences()["linear"].partition("can't be loaded")[2], 30, "a reason")
        status, headers, ready = answered(agent, "/v2/health/ready")
        assert (status, ready["ready"]) == (503, False)
        assert [(absent["name"], absent["version"]) for absent in ready["absent"]] == [("linear", "1.1.0")]
        assert headers["retry-after"] == "1"
        for path in ("/v2/models/linear", "/v2/models/linear/ready", "/v2/models/linear/versions/1.1.0"):
            status, headers, refusal = answered(agent, path)
            assert (status, headers["retry-after"]) == (503, "1")
            assert refusal["error"].startswith(f"linear 1.1.0 doesn't serve now: it can't be loaded{reason}")
            assert str(home) not in refusal["error"]
        assert answered(agent, "/v2/models/other")[0] == 404
        index = answered(agent, "/v2/repository/index", "POST")[2]
        assert [(entry["name"], entry["version"], entry["state"]) for entry in index] == [("linear", "1.1.0", "UNAVAILABLE")]
        assert index[0]["reason"]


def test_a_bundle_that_this_disk_damaged_is_refused_as_that(home: Path) -> None:
    document = desired(home)
    model = document.model("linear")
    assert model
    assert model.current
    back = type(model)(name="linear", current=model.previous, previous=None)
    with data_plane(home) as agent:
        client = DataPlaneClient(home / "run" / "agent.sock")
        client.follow(dataclasses.replace(document, generation=document.generation + 1, models=(back,)))
        flip(model.current.directory / files.GRAPH, 40)
        with pytest.raises(IntegrityError, match=files.GRAPH):
            client.follow(dataclasses.replace(document, generation=document.generation + 2), "linear")
        assert agent.serving() == "1.0.0"


@pytest.mark.parametrize("damage", [None, b"", b'{"schema": "sealift.desired-state/2"}'], ids=["missing", "empty", "newer"])
def test_without_a_document_that_it_can_read_it_waits_for_one(home: Path, damage: bytes | None) -> None:
    document = desired(home)
    (home / "desired.json").unlink()
    if damage is not None:
        (home / "desired.json").write_bytes(damage)
    with data_plane(home) as agent:
        client = DataPlaneClient(home / "run" / "agent.sock")
        assert client.generation() == 0
        assert agent.serving() is None
        client.follow(document)
        assert agent.serving() == "1.1.0"


def test_it_starts_again_and_serves_while_the_control_plane_hangs(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(installed, tmp_path / "device")
    with device(tmp_path / "device") as agent:
        agent.start()
        wait_until(lambda: agent.serving() == "1.1.0", 60, "the model to serve")
        control, before = wait_until(lambda: agent.pids("control_plane"), 30, "the control plane")[0], agent.pids("data_plane")
        os.kill(control, signal.SIGSTOP)
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: agent.pids("data_plane") not in ([], before) and agent.serving() == "1.1.0", 60, "the model to serve again")
        os.kill(control, signal.SIGCONT)


def test_a_home_of_the_version_before_which_has_no_document_serves_with_a_dead_control_plane(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(installed, tmp_path / "device")
    (tmp_path / "device" / "desired.json").unlink()
    with device(tmp_path / "device") as agent:
        agent.start(wait=False)
        for pid in wait_until(lambda: agent.pids("control_plane"), 60, "the control plane"):
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: (agent.home / "run" / "server.json").exists() and agent.serving() == "1.1.0", 60, "the model to serve")
        assert desired(agent.home).generation == 1
        for pid in agent.pids("control_plane"):
            os.kill(pid, signal.SIGKILL)


def test_a_version_on_probation_is_held_against_the_previous_one_until_it_ends(home: Path) -> None:
    document = desired(home)
    on_probation = dataclasses.replace(document, generation=document.generation + 1, updates=("linear 1.1.0",))
    DesiredFile(home).write(on_probation)
    with data_plane(home) as agent:
        client = DataPlaneClient(home / "run" / "agent.sock")

        def compared() -> int:
            agent.infer("linear", REQUEST)
            counters = client.counters("linear")
            return len(counters.trial.ratios) if counters and counters.trial else 0

        wait_until(lambda: compared() >= 5, 60, "both versions to be asked")
        counters = client.counters("linear")
        assert counters
        assert counters.trial
        assert (counters.trial.previous, counters.trial.failures, counters.failures) == ("1.0.0", 0, 0)
        client.follow(dataclasses.replace(document, generation=document.generation + 2))
        counters = client.counters("linear")
        assert counters
        assert counters.trial is None
        assert agent.serving() == "1.1.0"
