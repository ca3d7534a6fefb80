"""Measuring on a device that may not, that is busy, that takes too long, or that dies."""

from __future__ import annotations

import datetime
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from sealift_core.bundle.digest import Digest
from sealift_packager.build.pipeline import pack
from sealift_packager.errors import DeviceError, DeviceRefusedError
from sealift_packager.measure import device as client
from sealift_packager.measure.device import inputs_file
from support.agents import AgentUnderTest, device, wait_until
from support.measuring_devices import job, left, linear, on, trusting
from support.models import CORPUS
from support.packing import KEY
from support.repositories import Repository

SLOW = (CORPUS / "slow" / "model.onnx").read_bytes()

#: Ten seconds or more for each run.
LONG = inputs_file({"x": np.zeros((1, 4), np.float32), "rounds": np.array([10_000_000], np.int64)})


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = Repository(tmp_path_factory.mktemp("repository") / "it", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    made.add_release("1.0.0")
    return made


def test_a_device_that_was_not_told_to_measure_refuses_and_says_how_to_allow_it(tmp_path: Path, repository: Repository) -> None:
    with device(tmp_path / "home") as closed:
        closed.init(repository.directory, repository.metadata / "1.root.json")
        closed.start()
        with pytest.raises(DeviceRefusedError, match=r"doesn't accept measuring jobs.*measuring\.enabled"):
            pack(on(closed, tmp_path / "out"))
        with pytest.raises(DeviceRefusedError), job(closed):
            pass


def test_a_job_over_its_time_is_ended_and_deleted(tmp_path: Path, repository: Repository) -> None:
    with device(tmp_path / "home") as agent:
        agent.init(repository.directory, repository.metadata / "1.root.json", **trusting(KEY, measuring__max_s="2"))
        agent.start()
        wait_until(lambda: agent.serving() == "1.0.0" and agent.status()["models"][0]["state"] == "committed", 60, "the update to end")
        start = time.monotonic()
        with pytest.raises(DeviceError, match="the step took longer than the time left for the job"), job(agent, data=SLOW, inputs=LONG) as begun:
            begun.latency(Digest.of(LONG), [linear(data=SLOW)], seconds=60, rounds=(100, 100))
        assert time.monotonic() - start < 30
        wait_until(lambda: left(agent) == [], 5, "the files to be deleted")
        assert agent.serving() == "1.0.0"


def test_while_an_update_is_under_way_nothing_is_measured(tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BUSY_WAIT_S", 0.0)
    with device(tmp_path / "home") as agent:
        agent.init(repository.directory, repository.metadata / "1.root.json", **trusting(KEY, timing__probation_s="600"))
        agent.start()
        wait_until(lambda: agent.serving() == "1.0.0", 60, "the probation to begin")
        with pytest.raises(DeviceError, match="an update is under way|another process is updating this device"), job(agent):
            pass


def test_an_agent_that_dies_in_the_middle_is_an_error_and_leaves_no_process(tmp_path: Path, repository: Repository) -> None:
    with device(tmp_path / "home") as agent:
        agent.init(repository.directory, repository.metadata / "1.root.json", **trusting(KEY))
        agent.start()
        wait_until(lambda: agent.serving() == "1.0.0" and agent.status()["models"][0]["state"] == "committed", 60, "the update to end")

        def kill() -> None:
            wait_until(lambda: measuring(agent), 30, "a measuring process")
            agent.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(DeviceError, match="the connection broke"), job(agent, data=SLOW, inputs=LONG) as begun:
            begun.latency(Digest.of(LONG), [linear(data=SLOW)], seconds=60, rounds=(100, 100))
        killer.join()
        wait_until(lambda: not measuring(agent), 10, "the measuring process to end")
        assert left(agent) != []
        agent.start()
        assert left(agent) == []


def measuring(agent: AgentUnderTest) -> list[int]:
    processes = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes()
        except OSError:
            continue
        if b"sealift_runtime.measuring.process" in words and str(agent.home).encode() in words:
            processes.append(int(place.name))
    return processes
