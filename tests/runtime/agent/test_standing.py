"""After a refusal or a rollback, `sync`, `status`, `doctor` and the reports say the same: what runs, what the channel names, why, what to do."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest

from sealift_core.bundle.manifest import Requirements
from sealift_core.messages.report import CLIENT_FAILURES, InstalledModel, model_failures
from sealift_core.schema.documents import Document
from sealift_runtime.agent.device import opened
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.reporting import installed_models
from sealift_runtime.agent.updating import updater_of
from sealift_runtime.engine import selftest
from sealift_runtime.update.data_plane import NoDataPlane
from support.agents import AgentUnderTest, device
from support.repositories import Repository

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
UNFIT = Requirements(onnxruntime=">=99", cpu_flags=(), memory_bytes=0, disk_bytes=0)
HEAVY = Requirements(onnxruntime=">=1.20", cpu_flags=(), memory_bytes=0, disk_bytes=2**60)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = Repository(tmp_path_factory.mktemp("published") / "repository", now=NOW)
    made.add_release("1.0.0")
    return made


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, repository: Repository) -> Iterator[AgentUnderTest]:
    """A device that runs 1.0.0 by the channel's word; each test leaves it so."""
    with device(tmp_path_factory.mktemp("standing") / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json", timing__probation_s="0")
        made.command("sync").ok()
        yield made


def told(agent: AgentUnderTest) -> tuple[str, str, str]:
    """What `status`, `doctor` and a report tell of linear, beside its state: the same sentence is looked for in each."""
    with opened(Home(agent.home)) as here:
        report = next(model for model in installed_models(here) if model.name == "linear")
    return agent.command("status").ok().out, agent.command("doctor").out, report.standing


def test_a_device_as_its_channel_says_has_nothing_to_tell(agent: AgentUnderTest) -> None:
    done = agent.command("sync")
    assert (done.code, done.out) == (0, "There is nothing new to install.\n")
    status = agent.status()["standings"][0]
    assert (status["condition"], status["running"], status["channel"], status["behind"]) == ("current", "1.0.0", "1.0.0", False)
    assert "behind" not in agent.command("status").ok().out
    assert "updates" in agent.command("doctor").out
    assert told(agent)[2] == ""


def test_a_rejected_release_is_told_by_all_each_time_and_sync_exits_with_7(agent: AgentUnderTest, repository: Repository) -> None:
    repository.add_release("1.1.0", requires=UNFIT)
    assert agent.command("sync").code == 7
    again = agent.command("sync")
    assert again.code == 7, "a refusal isn't news only once"
    assert "linear 1.1.0 is refused since 20" in again.out
    assert "It needs onnxruntime >=99" in again.out
    assert "1.0.0 stays." in again.out
    assert "sealift-agent sync --retry linear" in again.out
    assert "nothing new" not in again.out
    assert "as the channel says" not in again.out
    sentence = again.out.strip().splitlines()[-1]
    for text in told(agent):
        assert sentence in text
    assert "committed, behind the channel" in agent.command("status").ok().out
    fields = agent.command("sync", "--json").json["models"][0]
    assert (fields["condition"], fields["running"], fields["channel"], fields["behind"]) == ("rejected", "1.0.0", "1.1.0", True)
    assert fields["since"]
    repository.promote("1.0.0")
    agent.command("sync").ok()


def test_a_rollback_is_told_by_all_until_the_channel_names_another(agent: AgentUnderTest, repository: Repository) -> None:
    repository.add_release("1.2.0")
    agent.command("sync").ok()
    assert agent.version() == "1.2.0"
    agent.command("rollback", "linear", "--reason", "more alarms than before.").ok()
    done = agent.command("sync")
    assert done.code == 7
    sentence = done.out.strip()
    assert sentence.startswith("linear 1.2.0 was rolled back and is refused since 20")
    assert ": more alarms than before. 1.0.0 stays. Publish a mended version" in sentence
    for text in told(agent):
        assert sentence in text
    repository.promote("1.0.0")
    agent.command("sync").ok()
    assert agent.status()["refused"] == []
    assert told(agent)[2] == ""


def test_an_update_that_is_held_up_is_told_by_all_with_its_next_try(agent: AgentUnderTest, repository: Repository) -> None:
    repository.add_release("1.3.0", requires=HEAVY)
    done = agent.command("sync")
    assert done.code == 6
    assert "held up: " in done.out
    for text in told(agent):
        assert "linear 1.3.0 is held up since 20" in text
        assert "not enough free space" in text
        assert "A running agent tries again at 20" in text
    assert agent.status()["standings"][0]["condition"] == "held up"
    assert agent.status()["refused"] == []
    repository.add_release("1.3.1")
    agent.command("sync").ok()
    assert agent.version() == "1.3.1"


def test_a_release_that_is_not_installed_yet_is_behind_the_channel(agent: AgentUnderTest, repository: Repository) -> None:
    repository.add_release("1.4.0")
    with opened(Home(agent.home)) as here:
        updater_of(here, NoDataPlane()).refresh()
    for text in told(agent):
        assert "linear: the channel names 1.4.0; 1.3.1 stays." in text
    agent.command("sync").ok()


def test_a_client_s_mistakes_are_no_failures_of_the_model() -> None:
    assert model_failures({"bad-request": 100, "model": 2, "overload": 1}) == 3
    assert {"bad-request"} == CLIENT_FAILURES


def test_a_model_as_an_older_agent_reports_it_can_still_be_read() -> None:
    fields = {"name": "m", "version": "1.0.0", "bundle": "sha256:0", "profile": "p", "state": "committed", "previous_version": ""}
    model = InstalledModel.parse(Document(fields, "model"))
    assert (model.channel_version, model.condition, model.standing) == ("", "", "")


def test_single_checks_of_doctor_run_and_an_installed_model_proves_itself_again(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    found = agent.command("doctor", "--check", "engine", "--check", "self-test", "--json").ok().json["findings"]
    assert [(finding["check"], finding["verdict"]) for finding in found] == [("engine", "ok"), ("self-test", "ok")]
    assert found[1]["detail"] == f"passed by linear {agent.version()}"
    assert "self-test" not in agent.command("doctor").out
    monkeypatch.setattr(selftest, "MODULE", "sealift_runtime.no_such_module")  # the agent's own installation lacks a part
    assert agent.command("doctor", "--check", "self-test").code == 6
