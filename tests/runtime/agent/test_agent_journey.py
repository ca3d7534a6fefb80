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

from sealift_runtime.bundle import files
from sealift_runtime.bundle.golden import GoldenCase
from support.agents import AgentUnderTest, device, wait_until
from support.models import MODELS, answer
from support.repositories import Repository, flip

X = MODELS["linear"].requests[1]["x"]
REQUEST = [{"name": "x", "shape": list(X.shape), "datatype": "FP32", "data": X.ravel().tolist()}]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    made.add_release("1.0.0")
    return made


@pytest.fixture
def agent(tmp_path: Path, repository: Repository) -> Iterator[AgentUnderTest]:
    with device(tmp_path / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json")
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
    done = agent.command("sync", "--json")
    assert done.code == 0
    assert done.json["updates"][0]["state"] == "probation"
    assert agent.command("infer", "linear", "--golden", "--json").json["served"] is False


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
    assert any("rolled-back linear 1.1.0: the server crashed during the probation" in event for event in agent.events())


def spoiled(repository: Repository, name: str) -> Path:
    """Flip a byte of the newest release's blob of a file, or of a metadata file; the file."""
    if name.startswith("metadata/"):
        path = repository.directory / name
    else:
        manifest = max(repository.layout.blobs.iterdir(), key=lambda path: path.stat().st_mtime if name.encode() in path.read_bytes() else 0)
        path = manifest
    flip(path, path.stat().st_size // 2)
    return path


@pytest.mark.parametrize("name", ["metadata/timestamp.json", "metadata/3.snapshot.json", "metadata/3.targets.json", "metadata/3.channels.json"])
def test_one_flipped_byte_of_metadata_is_refused_by_name_and_the_old_version_serves(agent: AgentUnderTest, repository: Repository, name: str) -> None:
    agent.start()
    wait_until(lambda: agent.serving() == "1.0.0", 30, "1.0.0 to serve")
    held = repository.directory.with_name("next")
    shutil.copytree(repository.directory, held)
    following = Repository.__new__(Repository)
    following.__dict__.update(repository.__dict__ | {"directory": held, "layout": type(repository.layout)(held)})
    following.add_release("1.1.0")
    spoiled(following, name)
    for path in sorted(held.rglob("*"), key=lambda path: path.name == "timestamp.json"):
        if path.is_file():
            target = repository.directory / path.relative_to(held)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    role = name.rsplit("/", 1)[1].removesuffix(".json").split(".")[-1]
    wait_until(lambda: any(event.startswith("refused") and role in event for event in agent.events()), 30, f"an event that names {role}")
    assert agent.serving() == "1.0.0"


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
def test_a_damaged_installed_bundle_is_never_loaded_and_mends_itself(agent: AgentUnderTest, repository: Repository, name: str) -> None:
    assert agent.command("sync").code == 0
    bundle = next((agent.home / "bundles").iterdir())
    flip(bundle / name, 40)
    doctor = agent.command("doctor")
    assert doctor.code == 6
    assert name in doctor.out
    agent.start()
    wait_until(lambda: agent.serving() == "1.0.0", 30, "the model, fetched anew, to serve")
    assert any(event.startswith("damaged") and name in event for event in agent.events()), agent.events()
    assert agent.command("doctor").code == 0
