"""The home of an earlier version's agent: today's agent opens it, answers as that one did, updates it, goes back, and reports on."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_core.messages.report import open_report
from sealift_core.signing.keys import PrivateKey
from support.agents import AgentUnderTest, device, wait_until
from support.made_before import COMMITS, MadeBefore, give_device_key

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the home is that of an x86-64 machine")


@pytest.fixture(params=COMMITS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> MadeBefore:
    copied = MadeBefore.copy(request.param, tmp_path / "made")
    give_device_key(copied)
    return copied


@pytest.fixture
def agent(made: MadeBefore) -> Iterator[AgentUnderTest]:
    """The old home as it was left; its repository and its hub are gone from the network."""
    with device(made.home) as opened:
        yield opened


@pytest.fixture
def connected(made: MadeBefore, agent: AgentUnderTest) -> AgentUnderTest:
    """The old home, told where its repository is today: a directory."""
    agent.init(made.repository, made.home / "root.json")
    return agent


def answer(agent: AgentUnderTest, made: MadeBefore, name: str) -> dict[str, Any]:
    path = made.place / "request.json"
    path.write_text(json.dumps({"features": made.recorded["requests"][name]}))
    fields: dict[str, Any] = agent.command("infer", name, "--input", path, "--json").ok().json
    return fields


def assert_answers(agent: AgentUnderTest, made: MadeBefore, name: str, version: str) -> None:
    """Assert that the model answers what the version of then recorded."""
    seen, expected = answer(agent, made, name), made.recorded[f"{name} {version}"]
    assert seen["version"] == version
    assert seen["outputs"].keys() == expected.keys()
    for output, values in expected.items():
        np.testing.assert_allclose(seen["outputs"][output], values, rtol=1e-4, atol=1e-5)


def test_the_status_is_what_it_was(agent: AgentUnderTest, made: MadeBefore) -> None:
    seen, recorded = agent.status(), made.recorded["status"]
    assert {model["name"]: model["version"] for model in seen["models"]} == {"digits": "1.0.0", "iris": "1.0.0"}
    assert [{field: value for field, value in model.items() if field in recorded["models"][0]} for model in seen["models"]] == recorded["models"]
    refused = [{field: value for field, value in refusal.items() if field != "since"} for refusal in seen["refused"]]
    assert (refused, seen["events"]) == (recorded["refused"], recorded["events"])


def test_what_is_installed_answers_as_it_did(agent: AgentUnderTest, made: MadeBefore) -> None:
    assert_answers(agent, made, "iris", "1.0.0")
    assert_answers(agent, made, "digits", "1.0.0")


def test_the_agent_serves_what_is_installed_though_nothing_can_be_reached(agent: AgentUnderTest, made: MadeBefore) -> None:
    agent.start()
    wait_until(lambda: agent.serving("iris") == "1.0.0" and agent.serving("digits") == "1.0.0", 30, "both models to serve")
    assert_answers(agent, made, "iris", "1.0.0")
    assert_answers(agent, made, "digits", "1.0.0")


def test_a_sync_brings_the_version_that_was_published_since(connected: AgentUnderTest, made: MadeBefore) -> None:
    connected.command("sync").ok()
    assert_answers(connected, made, "iris", "1.2.0")
    assert_answers(connected, made, "digits", "1.0.0")


def test_a_version_that_was_brought_today_goes_back_to_the_one_of_then(connected: AgentUnderTest, made: MadeBefore) -> None:
    connected.command("sync").ok()
    connected.command("rollback", "iris", "--reason", "the test").ok()
    assert_answers(connected, made, "iris", "1.0.0")


def test_a_running_agent_swaps_to_the_version_that_was_published_since(connected: AgentUnderTest, made: MadeBefore) -> None:
    connected.start()
    wait_until(lambda: connected.serving("iris") == "1.2.0", 60, "iris 1.2.0 to serve")
    assert_answers(connected, made, "iris", "1.2.0")


def test_the_medium_of_then_is_imported(connected: AgentUnderTest, made: MadeBefore) -> None:
    shutil.rmtree(made.repository)
    made.repository.mkdir()
    connected.command("import", made.kit).ok()
    assert_answers(connected, made, "iris", "1.2.0")


def test_the_chain_of_reports_goes_on(connected: AgentUnderTest, made: MadeBefore, tmp_path: Path) -> None:
    waiting = len(list(made.exported.glob("sealift-reports/*/0*.json")))
    connected.command("sync").ok()
    (tmp_path / "medium").mkdir()
    connected.command("export", tmp_path / "medium").ok()
    paths = sorted(tmp_path.glob("medium/sealift-reports/*/0*.json"))
    key = PrivateKey.load(made.home / "keys" / "device.pem").public_key
    opened = [open_report(path.read_bytes(), key, where=path.name) for path in paths]
    assert len(opened) > waiting
    assert {event.kind for event in opened[-1].events} >= {"configuration-changed"}


def test_doctor_finds_nothing_damaged(connected: AgentUnderTest) -> None:
    ran = connected.command("doctor")
    assert ran.code == 0, ran.out + ran.err
