"""What doctor says of the sandbox, and that nothing is loaded that didn't pass a self-test in it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.bundle import files
from sealift_core.process import landlock, seccomp
from sealift_runtime.agent import ask
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.steps import SANDBOX_GAPS
from support.agents import AgentUnderTest, device, wait_until
from support.repositories import Repository, flip


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentUnderTest]:
    repository = Repository(tmp_path / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    repository.add_release("1.0.0")
    with device(tmp_path / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json")
        yield made


def sandbox_finding(agent: AgentUnderTest) -> tuple[str, str]:
    findings = agent.command("doctor", "--json").json["findings"]
    return next((finding["verdict"], finding["detail"]) for finding in findings if finding["check"] == "sandbox")


@pytest.mark.skipif(landlock.detect() == 0 or not seccomp.supported(), reason="the walls of this machine have gaps")
def test_doctor_tries_the_sandbox_and_says_what_it_is_made_of(agent: AgentUnderTest) -> None:
    verdict, detail = sandbox_finding(agent)
    assert verdict == "ok"
    assert detail.startswith(f"models are tested behind Landlock (ABI {landlock.detect()}), seccomp filters")


@pytest.mark.skipif(landlock.detect() == 0 or not seccomp.supported(), reason="the walls of this machine have gaps")
def test_doctor_tells_what_the_service_s_own_self_test_lacked(agent: AgentUnderTest) -> None:
    state = StateDatabase(agent.home / "state.sqlite")
    state.set_setting(SANDBOX_GAPS, "The kernel has no Landlock.")
    state.close()
    verdict, detail = sandbox_finding(agent)
    assert verdict == "warning"
    assert "In the last self-test: The kernel has no Landlock. Add the system calls that docs/how-to/install-an-agent.md names" in detail


def test_doctor_warns_of_a_sandbox_that_is_switched_off(agent: AgentUnderTest) -> None:
    config = agent.home / "agent.toml"
    config.write_text(config.read_text().replace("[sandbox]\nenabled = true", "[sandbox]\nenabled = false"))
    assert sandbox_finding(agent) == (
        "warning",
        "switched off by sandbox.enabled in agent.toml: self-tests have limits of memory and time, but no sandbox",
    )


@pytest.mark.parametrize("name", [files.MANIFEST, files.GRAPH, files.GOLDEN])
def test_infer_loads_no_bundle_that_was_changed_after_its_self_test(agent: AgentUnderTest, name: str) -> None:
    agent.command("sync").ok()
    path = next((agent.home / "bundles").iterdir()) / name
    flip(path, 40)
    ran = agent.command("infer", "linear", "--golden")
    assert ran.code in (3, 4), ran.out
    assert name in ran.out + ran.err


def test_infer_asks_the_agent_that_serves_without_loading_the_model_itself(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    agent.start()
    wait_until(lambda: agent.serving() == "1.0.0", 60, "the model to serve")
    monkeypatch.setattr(ask, "ModelSession", None)
    answer = agent.command("infer", "linear", "--golden", "--json").ok()
    assert answer.json["served"] is True
