"""What a device lets go of, and what it says, when the hub, or whoever answers in its place, doesn't take its reports."""

from __future__ import annotations

import datetime
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.errors import SealiftError, SignatureError
from sealift_core.messages.receipt import Receipt, seal_receipt
from sealift_core.signing.keys import PrivateKey
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.device import opened
from sealift_runtime.agent.doctor import FAILED, OK, WARNING, Finding, run_checks
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.reporting import seal, send
from support.agents import AgentUnderTest, device, wait_until
from support.hub_double import HubDouble, running_hub
from support.repositories import Repository

DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = Repository(tmp_path_factory.mktemp("vendor") / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    made.add_release("1.0.0")
    return made


@pytest.fixture
def hub() -> Iterator[HubDouble]:
    with running_hub() as server:
        yield server


@pytest.fixture
def agent(tmp_path: Path, repository: Repository) -> Iterator[AgentUnderTest]:
    with device(tmp_path / "device") as made:
        yield made


def set_up(agent: AgentUnderTest, repository: Repository, *options: str) -> None:
    agent.init(repository.directory, repository.metadata / "1.root.json", *options)


def report(agent: AgentUnderTest) -> int:
    """What the running agent does by itself: seal what there is, and send it."""
    with opened(Home(agent.home)) as local:
        seal(local, DataPlaneClient(local.home.socket), wait=True)
        return send(local)


def hub_finding(agent: AgentUnderTest, later: datetime.timedelta | None = None) -> Finding:
    with opened(Home(agent.home)) as local:
        if later:
            now = local.clock.now() + later
            local.clock.now = lambda: now  # type: ignore[method-assign]
        return next(finding for finding in run_checks(local) if finding.check == "hub")


def finding(agent: AgentUnderTest, check: str) -> Finding:
    with opened(Home(agent.home)) as local:
        return next(finding for finding in run_checks(local) if finding.check == check)


def events(agent: AgentUnderTest, kind: str) -> list[str]:
    return [event["detail"] for event in agent.status()["events"] if event["kind"] == kind]


def test_the_first_hub_is_trusted_on_first_use_and_that_is_told(
    agent: AgentUnderTest, repository: Repository, hub: HubDouble, caplog: pytest.LogCaptureFixture
) -> None:
    set_up(agent, repository, "--hub", hub.url)
    assert agent.status()["hub"] == {"url": hub.url, "pinned": "no key pinned yet", "trouble": None}
    assert report(agent) == 1
    fingerprint = hub.key.public_key.fingerprint
    assert agent.status()["hub"]["pinned"] == f"key {fingerprint}, trusted on first use"
    assert f"hub      {hub.url}, key {fingerprint}, trusted on first use\n" in agent.command("status").ok().out
    [pinned] = events(agent, "hub-key-pinned")
    assert fingerprint in pinned
    assert hub.url in pinned
    assert pinned in caplog.text
    assert report(agent) == 1
    assert len(events(agent, "hub-key-pinned")) == 1


def test_whoever_answers_with_another_key_ends_nothing(agent: AgentUnderTest, repository: Repository, hub: HubDouble) -> None:
    set_up(agent, repository, "--hub", hub.url)
    report(agent)
    genuine, hub.key = hub.key, PrivateKey.generate()
    for _ in range(3):
        with pytest.raises(SignatureError, match="another key than the hub's"):
            report(agent)
    assert agent.status()["reports"]["acknowledged"] == 1
    [refused] = events(agent, "reports-refused")
    assert refused.startswith("http://127.0.0.1")
    assert "No report was dropped" in refused
    assert "no report came there since" in agent.command("status").ok().out
    hub_check = hub_finding(agent)
    assert (hub_check.verdict, "reports aren't taken since" in hub_check.detail, "another key" in hub_check.detail) == (FAILED, True, True)
    assert agent.command("doctor").code == 6
    assert (finding(agent, "health").verdict, "reports-not-taken: " in finding(agent, "health").detail) == (FAILED, True)
    hub.key = genuine
    assert report(agent) >= 1
    assert agent.status()["hub"]["trouble"] is None
    assert finding(agent, "health") == Finding(check="health", verdict=OK, detail="well")


def test_a_configured_key_is_the_only_one(agent: AgentUnderTest, repository: Repository, hub: HubDouble) -> None:
    set_up(agent, repository, "--hub", hub.url, "--hub-key", "0" * 64)
    with pytest.raises(SignatureError, match=f"expected {'0' * 64}"):
        report(agent)
    fingerprint = hub.key.public_key.fingerprint
    assert agent.command("init", "--hub-key", fingerprint).code == 3, "the key is replaced only with --force"
    assert f"hub.key: {'0' * 64} → {fingerprint}" in agent.command("init", "--hub-key", fingerprint, "--force").ok().out
    assert report(agent) == 1
    assert agent.status()["hub"]["pinned"] == f"key {fingerprint}, as configured"


def test_to_name_the_key_that_is_trusted_already_needs_no_force(agent: AgentUnderTest, repository: Repository, hub: HubDouble) -> None:
    set_up(agent, repository, "--hub", hub.url)
    report(agent)
    done = agent.command("init", "--hub-key", "0" * 64)
    assert (done.code, "hub.key: nothing → 000" in done.err) == (3, True)
    assert "Changed: hub.key: nothing → " in agent.command("init", "--hub-key", hub.key.public_key.fingerprint).ok().out


@pytest.mark.parametrize("status", [403, 400])
def test_doctor_fails_while_the_hub_refuses_reports(agent: AgentUnderTest, repository: Repository, hub: HubDouble, status: int) -> None:
    set_up(agent, repository, "--hub", hub.url)
    hub.override = [(404, b"{}"), (201, hub.receipt("0" * 64, 0)), (status, b'{"error": "report 1 contradicts what is here"}')]
    with pytest.raises(SealiftError, match="contradicts"):
        report(agent)
    hub_check = hub_finding(agent)
    assert (hub_check.verdict, "contradicts" in hub_check.detail, "reports not yet acknowledged: 1" in hub_check.detail) == (FAILED, True, True)


def test_doctor_warns_of_a_hub_that_is_away_and_fails_once_that_lasts(agent: AgentUnderTest, repository: Repository) -> None:
    with running_hub() as hub:
        set_up(agent, repository, "--hub", hub.url)
    with pytest.raises(SealiftError, match="can't be reached"):
        report(agent)
    assert hub_finding(agent).verdict == WARNING
    later = hub_finding(agent, 2 * DAY)
    assert (later.verdict, "no report came to the hub since" in later.detail) == (FAILED, True)
    assert events(agent, "reports-refused") == []


def test_a_forged_receipt_on_a_stick_drops_nothing_and_keeps_no_model_out(agent: AgentUnderTest, repository: Repository, tmp_path: Path) -> None:
    set_up(agent, repository, "--hub-key", PrivateKey.generate().public_key.fingerprint)
    (tmp_path / "medium").mkdir()
    exported = agent.command("export", tmp_path / "medium", "--json").ok().json
    forged = Receipt(device=exported["device"], acknowledged=1)
    path = tmp_path / "medium" / "sealift-reports" / exported["device"] / "receipt.json"
    for data in (forged.to_bytes(), seal_receipt(forged, PrivateKey.generate()), b"{}"):
        path.write_bytes(data)
        done = agent.command("import", tmp_path / "medium")
        assert done.code in (3, 4)
        assert "receipt.json" in done.err
    assert agent.status()["reports"] == {"sealed": 1, "acknowledged": 0}
    assert len(events(agent, "reports-refused")) == 3
    shutil.copytree(repository.directory, tmp_path / "medium" / "repository")
    done = agent.command("import", tmp_path / "medium")
    assert (done.code, agent.version()) == (3, "1.0.0"), done.err
    assert "receipt.json" in done.err


def test_a_medium_of_a_device_of_before_says_how_to_name_the_key(agent: AgentUnderTest, repository: Repository, tmp_path: Path) -> None:
    hub = PrivateKey.generate()
    set_up(agent, repository)
    (tmp_path / "medium").mkdir()
    exported = agent.command("export", tmp_path / "medium", "--json").ok().json
    path = tmp_path / "medium" / "sealift-reports" / exported["device"] / "receipt.json"
    path.write_bytes(seal_receipt(Receipt(device=exported["device"], acknowledged=1), hub))
    done = agent.command("import", tmp_path / "medium")
    assert (done.code, "this device doesn't know the hub's key" in done.err, "init --hub-key" in done.err) == (4, True, True)
    agent.command("init", "--hub-key", hub.public_key.fingerprint).ok()
    assert agent.command("import", tmp_path / "medium", "--json").ok().json == {"acknowledged": 1}
    assert (hub_finding(agent).verdict, agent.status()["reports"]) == (OK, {"sealed": 1, "acknowledged": 1})


def test_a_running_agent_tells_in_metrics_what_doctor_tells(agent: AgentUnderTest, repository: Repository, hub: HubDouble) -> None:
    set_up(agent, repository, "--hub", hub.url, "--hub-key", "0" * 64)
    agent.start()

    def troubles() -> set[str]:
        with urllib.request.urlopen(f"{agent.url}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return {
            line.partition('"')[2].partition('"')[0]
            for line in text.splitlines()
            if line.startswith("sealift_device_trouble{") and line.endswith(" 1")
        }

    assert wait_until(troubles, 30, "the control plane to tell") == {"reports-not-taken"}
    assert "reports-not-taken: Its reports aren't taken: http://127.0.0.1" in finding(agent, "health").detail
