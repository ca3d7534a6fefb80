"""One configuration: `init` shows what it would change, keeps what is left out, and a running agent goes by it without a restart."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.errors import DocumentError, TransportError
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.config import AgentConfig
from sealift_runtime.agent.control_plane import CRASHED, ControlPlane
from sealift_runtime.agent.device import opened
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.updating import settings_of
from sealift_runtime.update.client_limits import ClientLimits
from sealift_runtime.update.records import Probation, ServingCounters, Update
from sealift_runtime.update.table import State
from support.agents import QUICK, AgentUnderTest, device
from support.cli import Ran
from support.repositories import Repository

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository", now=NOW)
    made.add_release("1.0.0")
    made.add_release("2.0.0", channel="beta")
    return made


@pytest.fixture
def agent(tmp_path: Path, repository: Repository) -> Iterator[AgentUnderTest]:
    with device(tmp_path / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json", "--hub", "http://127.0.0.1:9")
        yield made


def again(agent: AgentUnderTest, repository: Repository, *words: object) -> Ran:
    """`init` in the home that is there."""
    return agent.command("init", "--repo", repository.directory, "--root", repository.metadata / "1.root.json", *words)


def config(agent: AgentUnderTest) -> AgentConfig:
    return AgentConfig.load(agent.home / "agent.toml")


def test_init_with_nothing_new_changes_nothing(agent: AgentUnderTest, repository: Repository) -> None:
    before = (agent.home / "agent.toml").read_bytes()
    done = again(agent, repository).ok()
    assert "was already set up" in done.out
    assert (agent.home / "agent.toml").read_bytes() == before
    assert not any(event.startswith("configuration-changed") for event in agent.events())


def test_init_in_a_home_that_is_set_up_shows_old_and_new_and_wants_force(agent: AgentUnderTest, repository: Repository) -> None:
    before = config(agent)
    done = again(agent, repository, "--channel", "beta", "--hub", "http://127.0.0.1:10")
    assert done.code == 3
    assert "source.channel: stable → beta" in done.err
    assert "hub.url: http://127.0.0.1:9 → http://127.0.0.1:10" in done.err
    assert "--force" in done.err
    assert config(agent) == before
    forced = again(agent, repository, "--channel", "beta", "--force").ok()
    assert "Changed: source.channel: stable → beta" in forced.out
    assert config(agent).channel == "beta"
    assert any(event.startswith("configuration-changed") and "source.channel: stable → beta" in event for event in agent.events())


def test_what_is_left_out_keeps_its_value(agent: AgentUnderTest, repository: Repository) -> None:
    before = config(agent)
    again(agent, repository, "--set", "timing.poll_s=7", "--force").ok()
    after = config(agent)
    assert (after.hub, after.probation_s, after.poll_s) == ("http://127.0.0.1:9", before.probation_s, 7)
    again(agent, repository, "--hub", "", "--force").ok()
    assert config(agent).hub == ""


def test_a_configuration_that_can_not_be_used_is_made_anew_and_that_is_said(agent: AgentUnderTest, repository: Repository) -> None:
    (agent.home / "agent.toml").write_text("nonsense")
    done = again(agent, repository).ok()
    assert "agent.toml, which can't be used, is made anew" in done.out
    assert config(agent).channel == "stable"


def test_a_device_is_called_what_its_people_call_it(agent: AgentUnderTest, repository: Repository) -> None:
    again(agent, repository, "--name", "press-7", "--force").ok()
    with opened(Home(agent.home)) as here:
        assert here.host()["name"] == "press-7"
    for name in ("x" * 65, " press", "press\n7", "\x1b[2J", "-"):
        assert again(agent, repository, "--name", name, "--force").code == 3
    assert config(agent).name == "press-7"


def test_limits_on_clients_are_configured_and_a_misspelt_one_is_named(agent: AgentUnderTest, repository: Repository) -> None:
    again(agent, repository, "--set", "serving.body_mb=8", "--set", "serving.idle_s=5", "--force").ok()
    with opened(Home(agent.home)) as here:
        clients = settings_of(here.config).clients
    assert clients == ClientLimits(body_mb=8, idle_s=5, notice_s=float(QUICK["serving.notice_s"]))
    refused = again(agent, repository, "--set", "serving.bodymb=8", "--force")
    assert refused.code == 3
    assert "serving.body_mb" in refused.err
    refused = again(agent, repository, "--set", "serving.in_flight_mb=7", "--force")
    assert refused.code == 3
    assert "serving.body_mb: one body would have more than all may have: expected at most serving.in_flight_mb, 7, found 8" in refused.err
    path = agent.home / "agent.toml"
    path.write_text(path.read_text().replace("idle_s", "idel_s"))
    with pytest.raises(DocumentError, match="serving.idel_s: unknown field: .*Did you mean 'idle_s'"):
        config(agent)


@pytest.fixture
def plane(agent: AgentUnderTest) -> Iterator[ControlPlane]:
    """The agent's control plane, without a data plane; each round is called by hand."""
    with opened(Home(agent.home)) as here:
        yield ControlPlane(here, DataPlaneClient(here.home.socket))


def test_a_running_agent_follows_a_changed_configuration(
    agent: AgentUnderTest, repository: Repository, plane: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    again(agent, repository, "--set", "timing.poll_s=600", "--set", "timing.probation_s=0", "--force").ok()
    plane.round()
    plane.round()
    assert agent.version() == "1.0.0"
    assert plane.device.state.unfinished() == []
    again(agent, repository, "--channel", "beta", "--force").ok()
    with caplog.at_level(logging.INFO):
        plane.round()
    assert "following channel beta" in caplog.text
    assert agent.version() == "2.0.0", "at once, not at the next poll"
    assert agent.command("sync").code == 0
    assert agent.version() == "2.0.0", "agent and command don't undo each other's work"


def test_a_configuration_that_can_not_be_used_changes_nothing_in_a_running_agent_and_is_told_once(
    agent: AgentUnderTest, plane: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    plane.round()
    whole = (agent.home / "agent.toml").read_bytes()
    (agent.home / "agent.toml").write_text("nonsense")
    for _ in range(3):
        plane.round()
    assert caplog.text.count("agent.toml") == 1
    assert plane.device.config.channel == "stable"
    (agent.home / "agent.toml").write_bytes(whole)
    plane.round()
    assert plane.device.config.channel == "stable"


def test_what_stays_wrong_is_logged_once_and_tried_at_its_interval(
    agent: AgentUnderTest, repository: Repository, plane: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    for blob in repository.layout.blobs.iterdir():
        if blob.stat().st_size > 2000:
            blob.unlink()  # as in a medium that lacks a model
    tries = 0

    def counted() -> None:
        nonlocal tries
        tries += 1
        original()

    original = plane._advance
    plane._advance = counted  # type: ignore[method-assign]
    end = time.monotonic() + 2.5
    with caplog.at_level(logging.WARNING):
        while time.monotonic() < end:
            plane.round()
            time.sleep(0.05)
    assert caplog.text.count("update held up") == 1
    assert sum(event.startswith("held-up") for event in agent.events()) == 1
    update = plane.device.state.update("linear")
    assert update
    assert 1 <= update.hindrances <= 6, "each rest is twice as long as the one before"
    assert isinstance(plane.updater.advance().problems[0], TransportError)


@pytest.mark.parametrize(
    ("state", "seconds", "counts"),
    [
        (State.ACTIVATING, 1, True),
        (State.PROBATION, 1, True),
        (State.PROBATION, 0, True),
        (State.PROBATION, -60, False),
        (State.ACTIVATING, -60, False),
        (State.SELF_TESTING, 1, False),
    ],
)
def test_a_crash_counts_against_a_version_from_the_moment_that_it_is_to_serve(
    plane: ControlPlane, state: State, seconds: float, counts: bool
) -> None:
    window = Probation(started=NOW, deadline=NOW, start=ServingCounters(), before=None)
    update = Update(name="linear", version="2.0.0", state=state, release=Digest.of(b"2.0.0"), release_size=1, probation=window)
    plane.device.state.record(CRASHED, detail="it ended with -9", now=NOW + datetime.timedelta(seconds=seconds))
    assert (plane._crash(update) is not None) is counts
