"""What an agent takes from a medium, and what it says of one that carries nothing for it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.messages.receipt import Receipt
from support.agents import AgentUnderTest, device
from support.repositories import Repository


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentUnderTest]:
    repository = Repository(tmp_path / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    repository.add_release("1.0.0")
    with device(tmp_path / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json")
        yield made


def test_a_medium_with_a_receipt_alone_is_read(tmp_path: Path, agent: AgentUnderTest) -> None:
    medium = tmp_path / "medium"
    medium.mkdir()
    exported = agent.command("export", medium, "--json").json
    folder = medium / "sealift-reports" / exported["device"]
    (folder / "receipt.json").write_bytes(Receipt(device=exported["device"], acknowledged=1).to_bytes())
    done = agent.command("import", medium, "--json")
    assert done.code == 0, done.err
    assert done.json == {"acknowledged": 1}
    assert agent.status()["reports"] == {"sealed": 1, "acknowledged": 1}


def test_a_medium_with_nothing_for_this_device_is_refused(tmp_path: Path, agent: AgentUnderTest) -> None:
    (tmp_path / "medium").mkdir()
    done = agent.command("import", tmp_path / "medium")
    assert done.code == 3
    assert "neither a repository nor a receipt" in done.err
