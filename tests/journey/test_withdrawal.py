"""A vendor takes releases and channels back, with the installed commands, and a device follows what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.agents import AgentUnderTest, device, wait_until
from support.cli import Ran, call
from support.models import make_bundle, make_release, shared_key


def repo(*words: object) -> Ran:
    return call("sealift", "repo", *words)


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    """A repository with 1.0.0 in channel stable, and 1.1.0 in none."""
    directory = tmp_path / "vendor" / "repo"
    repo("init", directory).ok()
    for version in ("1.0.0", "1.1.0"):
        make_bundle(tmp_path / version / "bundle", version=version, key=shared_key())
        make_release(tmp_path / version / "layout", tmp_path / version / "bundle", key=shared_key())
        repo("add", directory, tmp_path / version / "layout").ok()
    repo("promote", directory, "linear", "1.0.0", "--channel", "stable").ok()
    return directory


def settled(agent: AgentUnderTest, version: str) -> None:
    wait_until(lambda: agent.command("sync").ok() and agent.version() == version, 30, f"the device to have {version}")


def test_a_withdrawn_release_is_taken_by_no_device_and_stays_where_it_runs(vendor: Path, tmp_path: Path) -> None:
    with device(tmp_path / "old" / "home") as old, device(tmp_path / "late" / "home") as late:
        for agent in (old, late):
            agent.init(vendor, vendor / "metadata" / "root.json", timing__probation_s="0")
            settled(agent, "1.0.0")
        repo("promote", vendor, "linear", "1.1.0", "--channel", "stable").ok()
        settled(old, "1.1.0")
        repo("withdraw", vendor, "linear", "1.1.0").ok()
        for agent, version in ((old, "1.1.0"), (late, "1.0.0")):
            agent.command("sync").ok()
            assert agent.version() == version
        told = old.command("status").ok().out
        assert "linear 1.1.0 was withdrawn by its publisher, and the channel names no other version. 1.1.0 stays." in told
        assert "withdrawn by" not in late.command("status").ok().out
        repo("promote", vendor, "linear", "1.0.0", "--channel", "stable").ok()
        settled(old, "1.0.0")


@pytest.mark.long
def test_a_device_keeps_what_it_has_when_its_model_or_its_channel_goes(vendor: Path, tmp_path: Path) -> None:
    with device(tmp_path / "device" / "home") as agent:
        agent.init(vendor, vendor / "metadata" / "root.json", timing__probation_s="0")
        settled(agent, "1.0.0")
        repo("demote", vendor, "linear", "--channel", "stable").ok()
        agent.command("sync").ok()
        repo("promote", vendor, "linear", "1.1.0", "--channel", "beta", "--new").ok()
        repo("channel", "remove", vendor, "stable").ok()
        gone = agent.command("sync")
        assert gone.code == 4
        assert "the repository has no such channel: expected one of beta, found 'stable'" in gone.err
        assert agent.version() == "1.0.0"
        assert agent.command("infer", "linear", "--golden").ok()
