"""What a hub, a repository or a ledger says is shown by ``sealift-agent``, and steers nobody's terminal and no log."""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.terminal.printable import printable
from sealift_runtime.agent.home import Home
from sealift_runtime.update.records import RefusedRelease, Update
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.table import State
from support.agents import AgentUnderTest, device, wait_until
from support.hub_double import HubDouble
from support.models import make_profile
from support.repositories import Repository

EVIL = "x\x1b[2J\x9b31m\u202e\nerror: forged\r\x07[red]"
SHOWN = "x\\x1b[2J\\x9b31m\\u202e\\nerror: forged\\r\\x07[red]"
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def is_printable(text: str) -> bool:
    return printable(text, lines=True) == text


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository", now=NOW)
    made.add_release("1.0.0", profile=make_profile(summary=EVIL))
    return made


@pytest.fixture
def agent(tmp_path: Path, repository: Repository) -> Iterator[AgentUnderTest]:
    with device(tmp_path / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json")
        yield made


def test_status_shows_reasons_and_details_on_one_line_each(agent: AgentUnderTest) -> None:
    state = StateDatabase(Home(agent.home).state)
    release = Digest.of(b"r")
    state.put(Update(name="linear", version="1.0.0", state=next(iter(State)), release=release, release_size=1, reason=EVIL))
    state.refuse(RefusedRelease(release=release, name="linear", version="1.0.0", reason=EVIL))
    state.record("rejected", model=EVIL, version=EVIL, detail=EVIL, now=NOW)
    state.close()
    done = agent.command("status").ok()
    assert is_printable(done.out)
    lines = done.out.splitlines()
    assert any(line.startswith(f"linear 1.0.0 was rolled back and is refused: {SHOWN}. ") for line in lines)
    assert lines[-1].endswith(f"rejected {SHOWN} {SHOWN}: {SHOWN}")
    machine = agent.command("status", "--json").ok()
    assert is_printable(machine.out)
    assert machine.json["refused"][0]["reason"] == EVIL


def test_a_hub_s_words_are_one_line_of_the_log(tmp_path: Path, repository: Repository) -> None:
    hub = HubDouble()
    hub.override = [(400, json.dumps({"error": EVIL}).encode())] * 1000
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    with device(tmp_path / "reporting") as agent:
        agent.init(repository.directory, repository.metadata / "1.root.json", "--hub", hub.url)
        agent.start()
        wait_until(lambda: "status 400" in agent.log.read_text(encoding="utf-8"), 30, "the hub's refusal")
        agent.stop()
        log = agent.log.read_text(encoding="utf-8")
    hub.shutdown()
    hub.server_close()
    assert is_printable(log)
    assert f"status 400: {SHOWN}" in log
    assert not any(line.startswith("error: forged") for line in log.splitlines())


@pytest.mark.parametrize("name", ["timestamp.json", "1.root.json"])
def test_a_repository_s_metadata_is_quoted_on_one_line(agent: AgentUnderTest, repository: Repository, name: str) -> None:
    (repository.metadata / name).write_text(json.dumps({"signed": {"_type": EVIL, EVIL: EVIL}, "signatures": EVIL}), encoding="utf-8")
    for verb in ("sync", "doctor"):
        done = agent.command(verb)
        assert is_printable(done.out + done.err)
        assert "error: forged" not in (done.out + done.err).splitlines()


def test_a_file_from_outside_is_quoted_on_one_line(agent: AgentUnderTest, tmp_path: Path) -> None:
    agent.command("sync").ok()
    (tmp_path / "in\x1b[31m.json").write_text(json.dumps({EVIL: [1]}), encoding="utf-8")
    done = agent.command("infer", "linear", "--input", tmp_path / "in\x1b[31m.json")
    assert done.code == 3
    assert is_printable(done.err)
    assert len(done.err.splitlines()) == 1
    assert is_printable(agent.command("infer", EVIL).err)


def test_a_server_s_error_and_its_metrics_quote_a_client_without_controls(agent: AgentUnderTest) -> None:
    agent.command("sync").ok()
    agent.start()
    body = agent.get("/v2/models/%1b[2J%e2%80%ae%0aerror")
    assert is_printable(body["error"])
    log = agent.log.read_text(encoding="utf-8")
    assert is_printable(log)
