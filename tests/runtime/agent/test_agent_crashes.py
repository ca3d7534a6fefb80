"""kill -9 of the whole agent in the middle of an update: after a restart the old or the new version serves, and the update ends."""

from __future__ import annotations

import datetime
import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_core.bundle.golden import GoldenCase
from support.agents import AgentUnderTest, device, wait_until
from support.models import answer
from support.repositories import Repository

ROUNDS = {"x": np.ones((1, 4), np.float32), "rounds": np.array([60_000])}
#: A model whose self-test takes long enough to be seen.
SLOW: dict[str, Any] = {"model": "slow", "cases": [GoldenCase(inputs=ROUNDS, outputs=answer("slow", ROUNDS))]}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    made.add_release("1.0.0")
    return made


@pytest.fixture
def agent(tmp_path: Path, repository: Repository) -> Iterator[AgentUnderTest]:
    with device(tmp_path / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json")
        assert made.command("sync").code == 0
        yield made


def state_of_update(agent: AgentUnderTest) -> str:
    """The state of the update to 1.1.0, as a look into the database from outside tells."""
    database = sqlite3.connect(f"file:{agent.home / 'state.sqlite'}?mode=ro", uri=True, timeout=5)
    try:
        rows = database.execute("SELECT document FROM updates").fetchall()
    finally:
        database.close()
    document = json.loads(rows[0][0]) if rows else {}
    return str(document.get("state")) if document.get("version") == "1.1.0" else ""


@pytest.mark.parametrize("state", ["self-testing", "probation", "committed"])
def test_the_agent_goes_on_where_it_was_killed(agent: AgentUnderTest, repository: Repository, state: str) -> None:
    agent.start()
    wait_until(lambda: agent.serving("linear") == "1.0.0", 60, "1.0.0 to serve")
    repository.add_release("1.1.0", **(SLOW if state == "self-testing" else {}))
    wait_until(lambda: state_of_update(agent) == state, 60, f"the update to be {state}")
    agent.kill()
    agent.start()
    assert wait_until(lambda: agent.serving("linear"), 60, "a version to serve") in ("1.0.0", "1.1.0")
    wait_until(lambda: state_of_update(agent) == "committed", 60, "the update to be committed")
    assert agent.serving("linear") == "1.1.0"


def test_a_server_that_is_killed_comes_back_by_itself(agent: AgentUnderTest) -> None:
    agent.start()
    wait_until(lambda: agent.serving("linear") == "1.0.0", 60, "1.0.0 to serve")
    wait_until(lambda: agent.status()["models"][0]["state"] == "committed", 30, "the probation to end")
    before = agent.pids("data_plane")
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: agent.pids("data_plane") not in ([], before) and agent.serving("linear"), 60, "the server to come back")
    assert any(event.startswith("server-crashed") for event in agent.events())


def test_requests_are_answered_while_the_control_plane_is_dead(agent: AgentUnderTest) -> None:
    agent.start()
    wait_until(lambda: agent.serving("linear") == "1.0.0", 60, "1.0.0 to serve")
    os.kill(agent.pids("control_plane")[0], signal.SIGKILL)
    assert agent.get("/v2/health/ready") == {"ready": True}
    wait_until(lambda: agent.pids("control_plane"), 30, "the control plane to come back")
    assert len(agent.pids("data_plane")) == 1
