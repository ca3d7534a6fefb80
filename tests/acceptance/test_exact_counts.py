"""kill -9 again and again, of each process and at ever other moments: the hub's counts equal what was answered, but for the promised seconds.

The last requests before a kill of the data plane may be lost, those of `LOST_S` seconds at most. Nothing is ever counted twice.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_runtime.agent.monitors import LOST_S
from support.agents import AgentUnderTest, device, wait_until
from support.hub_double import HubDouble, running_hub
from support.models import MODELS
from support.repositories import Repository

X = MODELS["linear"].requests[1]["x"]
REQUEST = [{"name": "x", "shape": list(X.shape), "datatype": "FP32", "data": X.ravel().tolist()}]
CUTS = 100
pytestmark = pytest.mark.timeout(3_600)


class Counted:
    """A device, its hub, and when each request was answered."""

    def __init__(self, agent: AgentUnderTest, hub: HubDouble) -> None:
        self.agent = agent
        self.hub = hub
        self.answered: list[float] = []
        self.uncertain = 0
        self.promised: set[float] = set()

    def ask(self, seconds: float) -> None:
        """Send requests one by one; one whose answer was cut off may have been counted or not."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                self.agent.infer("linear", REQUEST)
                self.answered.append(time.monotonic())
            except OSError:
                self.uncertain += 1
                return

    def cut(self, module: str) -> None:
        """Kill a process, and wait until the model is served again."""
        now = time.monotonic()
        for process in self.agent.pids(module):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if module == "data_plane":
            self.promised |= {moment for moment in self.answered if now - moment <= LOST_S}
        wait_until(lambda: self.agent.serving("linear"), 60, "the model to serve again")

    @property
    def lost(self) -> int:
        """How many requests may be lost, each of which can be only once."""
        return len(self.promised)

    @property
    def at_hub(self) -> int:
        return sum(window.requests for report in self.hub.reports for window in report.windows)


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    repository = Repository(tmp_path / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    repository.add_release("1.0.0")
    with running_hub() as hub, device(tmp_path / "device") as agent:
        agent.init(repository.directory, repository.metadata / "1.root.json", "--hub", hub.url, timing__window_s="4", timing__probation_s="0")
        for _ in range(2):
            agent.command("sync").ok()
        agent.start()
        wait_until(lambda: agent.serving("linear"), 60, "the model to serve")
        yield Counted(agent, hub)


def test_after_many_kills_the_hub_has_every_request_but_those_of_the_promised_seconds(counted: Counted) -> None:
    moments = random.Random(7)
    for number in range(CUTS):
        counted.ask(moments.uniform(0.1, 1.5))
        time.sleep(LOST_S if number % 4 == 1 else moments.uniform(0, 1))
        counted.cut("data_plane" if number % 2 else "control_plane")
        assert counted.at_hub <= len(counted.answered) + counted.uncertain
    counted.ask(1.0)
    total = len(counted.answered)
    wait_until(lambda: counted.at_hub >= total - counted.lost, 60, "the hub to have what was answered")
    time.sleep(LOST_S)
    assert total - counted.lost <= counted.at_hub <= total + counted.uncertain
    assert counted.lost < 0.7 * total  # so that the test says something


def test_an_ordinary_end_and_a_kill_of_the_control_plane_lose_nothing(counted: Counted) -> None:
    moments = random.Random(8)
    for number in range(20):
        counted.ask(moments.uniform(0.1, 0.8))
        if number % 2:
            counted.cut("control_plane")
        else:
            counted.agent.stop()
            counted.agent.start()
            wait_until(lambda: counted.agent.serving("linear"), 60, "the model to serve again")
    wait_until(lambda: counted.at_hub >= len(counted.answered), 60, "the hub to have what was answered")
    time.sleep(LOST_S)
    assert counted.at_hub == len(counted.answered)
