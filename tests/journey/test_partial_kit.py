"""A kit for some models of a channel: `import` takes what is there, says what was left out on purpose, and nobody tries that again and again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.agents import device, wait_until
from support.cli import call
from support.models import make_bundle, make_release, shared_key
from support.wheels import write_agent_wheels


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("vendor")
    call("sealift", "repo", "init", work / "repo").ok()
    for name in ("linear", "second"):
        make_bundle(work / name / "bundle", name=name, key=shared_key())
        make_release(work / name / "layout", work / name / "bundle", key=shared_key())
        call("sealift", "repo", "add", work / "repo", work / name / "layout").ok()
        call("sealift", "repo", "promote", work / "repo", name, "1.0.0", "--channel", "stable").ok()
    wheels = write_agent_wheels(work / "wheels")
    built = call("sealift", "kit", "build", "--repo", work / "repo", "--out", work / "kit", "--wheels", wheels, "--model", "linear").ok()
    assert "Models: linear 1.0.0" in built.out
    assert "Left out: second 1.0.0" in built.out
    return work / "kit"


def test_import_succeeds_and_says_what_was_left_out(kit: Path, tmp_path: Path) -> None:
    with device(tmp_path / "device" / "home") as agent:
        agent.init(kit / "repository", kit / "root.json", timing__probation_s="0")
        for _ in range(2):
            done = agent.command("import", kit).ok()
            assert "second 1.0.0 isn't in the kit, which was built without it. No version of it is installed." in done.out
        assert agent.version() == "1.0.0"
        assert agent.command("doctor").code == 0
        assert sum(event.startswith("left-out") for event in agent.events()) == 1


@pytest.mark.long
def test_an_agent_that_follows_the_medium_tells_once_what_isnt_there(kit: Path, tmp_path: Path) -> None:
    with device(tmp_path / "device" / "home") as agent:
        agent.init(kit / "repository", kit / "root.json", timing__probation_s="0")
        agent.command("import", kit).ok()
        agent.start()
        wait_until(lambda: "Its channel stable names" in agent.log.read_text(), 60, "the first look at the medium")
        before = len(agent.log.read_text().splitlines())
        time.sleep(2)  # some polls
        assert len(agent.log.read_text().splitlines()) == before
        assert "held" not in agent.log.read_text()
        assert agent.serving() == "1.0.0"
