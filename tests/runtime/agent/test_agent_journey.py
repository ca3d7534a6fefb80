"""A device through its installed command and real processes: install, serve, update, refuse, go back."""

from __future__ import annotations

import datetime
import functools
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sealift_core.bundle import files
from sealift_core.bundle.golden import GoldenCase
from support.agents import AgentUnderTest, device, wait_until
from support.cli import run
from support.models import MODELS, answer
from support.repositories import Repository, flip

X = MODELS["linear"].requests[1]["x"]
REQUEST = [{"name": "x", "shape": list(X.shape), "datatype": "FP32", "data": X.ravel().tolist()}]


def published(place: Path) -> Repository:
    made = Repository(place / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    made.add_release("1.0.0")
    return made


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return published(tmp_path)


@pytest.fixture
def agent(tmp_path: Path, repository: Repository) -> Iterator[AgentUnderTest]:
    with device(tmp_path / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json")
        yield made


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentUnderTest]:
    """A device with its model and no agent that runs; each test leaves it whole."""
    place = tmp_path_factory.mktemp("synced")
    repository = published(place)
    with device(place / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json")
        made.command("sync").ok()
        yield made


def serves(agent: AgentUnderTest, version: str) -> bool:
    return agent.serving() == version


def test_an_agent_installs_what_its_channel_names_and_serves_it(agent: AgentUnderTest) -> None:
    agent.start()
    wait_until(lambda: agent.serving() == "1.0.0", 30, "the model to serve")
    scores = agent.infer("linear", REQUEST)["outputs"][0]
    np.testing.assert_allclose(np.array(scores["data"]).reshape(scores["shape"]), answer("linear", {"x": X})["scores"], rtol=1e-6)
    wait_until(lambda: agent.status()["models"][0]["state"] == "committed", 30, "the probation to end")
    assert agent.stop() == 0


def test_one_sync_does_it_without_an_agent_that_runs(agent: AgentUnderTest) -> None:
    done = run("sealift-agent", "sync", "--json", "--home", agent.home).ok()
    assert done.json["updates"][0]["state"] == "probation"
    assert run("sealift-agent", "infer", "linear", "--golden", "--json", "--home", agent.home).ok().json["served"] is False


def test_no_request_fails_while_a_new_version_is_swapped_in(agent: AgentUnderTest, repository: Repository) -> None:
    agent.start()
    wait_until(lambda: agent.serving() == "1.0.0", 30, "the model to serve")
    stopping, failures, answered = threading.Event(), list[str](), list[int]()

    def ask() -> None:
        while not stopping.is_set():
            began = time.monotonic()
            try:
                agent.infer("linear", REQUEST)
                answered.append(1)
            except OSError as error:
                failures.append(repr(error))
            time.sleep(max(0.0, 0.02 - (time.monotonic() - began)))  # four askers at 50 a second each

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        for version in ("1.1.0", "1.2.0"):
            repository.add_release(version)
            wait_until(functools.partial(serves, agent, version), 60, f"{version} to serve")
            wait_until(lambda: agent.status()["models"][0]["state"] == "committed", 30, "the probation to end")
    finally:
        stopping.set()
        for asker in askers:
            asker.join()
    assert failures == []
    assert len(answered) > 200


def test_a_running_agent_goes_back_on_command(agent: AgentUnderTest, repository: Repository) -> None:
    agent.start()
    wait_until(lambda: agent.serving() == "1.0.0", 30, "1.0.0 to serve")
    repository.add_release("1.1.0")
    wait_until(lambda: agent.serving() == "1.1.0", 30, "1.1.0 to serve")
    done = agent.command("rollback", "linear", "--reason", "it looks odd")
    assert (done.code, done.out) == (0, "linear is back at 1.0.0.\n")
    assert agent.serving() == "1.0.0"
    time.sleep(1)
    assert agent.serving() == "1.0.0", "what was left is not tried again"
    assert any("rolled-back linear 1.1.0: it looks odd" in event for event in agent.events())
    assert agent.command("sync", "--retry", "linear").code == 0
    assert agent.serving() == "1.1.0"


HANGING = [GoldenCase(inputs={"x": np.zeros((1, 4), np.float32), "rounds": np.array([10**9])}, outputs={"y": np.zeros((1, 4), np.float32)})]
HUNGRY = [GoldenCase(inputs={"size": np.array([10**10])}, outputs={"mean": np.zeros(1, np.float32)})]
WRONG = [GoldenCase(inputs={"x": X}, outputs={"scores": answer("linear", {"x": X})["scores"] + 1, "label": answer("linear", {"x": X})["label"]})]


@pytest.mark.parametrize(
    ("model", "cases", "reason"),
    [("slow", HANGING, "hung"), ("hungry", HUNGRY, "out of memory"), ("linear", WRONG, "wrong outputs")],
    ids=["hangs", "starves", "errs"],
)
def test_a_model_that_fails_its_self_test_never_reaches_the_server(
    agent: AgentUnderTest, repository: Repository, model: str, cases: list[GoldenCase], reason: str
) -> None:
    assert agent.command("sync").code == 0
    agent.init(repository.directory, repository.metadata / "1.root.json", limits__self_test_s="4", limits__self_test_memory_mb="512")
    agent.start()
    repository.add_release("2.0.0", model=model, cases=cases)
    wait_until(lambda: any(event.startswith("rejected linear 2.0.0") for event in agent.events()), 60, "the rejection")
    assert any(event.startswith("rejected") and reason in event for event in agent.events()), agent.events()
    assert agent.serving() == "1.0.0"
    assert agent.infer("linear", REQUEST)["model_version"] == "1.0.0"


def test_a_version_that_crashes_the_server_on_probation_is_rolled_back(agent: AgentUnderTest, repository: Repository) -> None:
    agent.command("sync")
    agent.init(repository.directory, repository.metadata / "1.root.json", timing__probation_s="60")
    agent.start()
    repository.add_release("1.1.0")
    wait_until(lambda: agent.serving() == "1.1.0", 30, "1.1.0 to serve")
    os.kill(agent.pids("data_plane")[0], signal.SIGKILL)
    wait_until(lambda: agent.serving() == "1.0.0", 30, "1.0.0 to serve again")
    assert any("rolled-back linear 1.1.0: the data plane crashed during the probation" in event for event in agent.events())


#: In the order in which a device reads them.
METADATA = ["timestamp.json", "3.snapshot.json", "3.targets.json", "3.channels.json"]


def test_one_flipped_byte_of_metadata_is_refused_by_name_and_the_old_version_serves(agent: AgentUnderTest, repository: Repository) -> None:
    mirror = repository.directory.with_name("mirror")
    shutil.copytree(repository.directory, mirror)
    agent.init(mirror, repository.metadata / "1.root.json")
    agent.start()
    wait_until(lambda: agent.serving() == "1.0.0", 30, "1.0.0 to serve")
    repository.add_release("1.1.0")
    shutil.copytree(repository.layout.blobs, mirror / "blobs" / "sha256", dirs_exist_ok=True)
    for name in reversed(METADATA):
        shutil.copy(repository.metadata / name, repository.directory / "flipped")
        flip(repository.directory / "flipped", (repository.metadata / name).stat().st_size // 2)
        (repository.directory / "flipped").replace(mirror / "metadata" / name)
    for name in METADATA:
        file = f"metadata/{name.removeprefix('3.')}"
        wait_until(lambda: any(event.startswith("refused") and file in event for event in agent.events()), 30, f"an event that names {file}")  # noqa: B023
        assert agent.serving() == "1.0.0"
        shutil.copy(repository.metadata / name, mirror / "metadata" / name)
    wait_until(lambda: agent.serving() == "1.1.0", 30, "1.1.0, whole at last, to serve")


def test_last_weeks_metadata_is_refused_as_a_rollback(agent: AgentUnderTest, repository: Repository) -> None:
    shutil.copytree(repository.metadata, repository.directory.with_name("last-week"))
    repository.add_release("1.1.0")
    assert agent.command("sync").code == 0
    shutil.rmtree(repository.metadata)
    shutil.copytree(repository.directory.with_name("last-week"), repository.metadata)
    done = agent.command("sync")
    assert done.code == 4
    assert "older" in done.err
    assert "timestamp" in done.err
    assert any(event.startswith("refused") for event in agent.events())
    assert agent.version() == "1.1.0"


@pytest.mark.parametrize("name", [files.MANIFEST, files.GRAPH, files.GOLDEN, files.BASELINE, files.CARD, files.SIGNATURE])
def test_doctor_names_a_damaged_file_and_a_sync_mends_it(synced: AgentUnderTest, name: str) -> None:
    flip(next((synced.home / "bundles").iterdir()) / name, 40)
    doctor = synced.command("doctor")
    assert doctor.code == 6
    assert name in doctor.out
    synced.command("sync").ok()
    assert any(event.startswith("damaged") and name in event for event in synced.events()), synced.events()
    synced.command("doctor").ok()


def test_a_damaged_installed_bundle_is_never_loaded_and_mends_itself(agent: AgentUnderTest) -> None:
    agent.command("sync").ok()
    flip(next((agent.home / "bundles").iterdir()) / files.GRAPH, 40)
    agent.start()
    wait_until(lambda: agent.serving() == "1.0.0", 30, "the model, fetched anew, to serve")
    assert any(event.startswith("damaged") and files.GRAPH in event for event in agent.events()), agent.events()
    agent.command("doctor").ok()
