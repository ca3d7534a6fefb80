"""What an agent takes from a medium, and what it says of one that carries nothing for it."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.messages.receipt import Receipt, seal_receipt
from sealift_core.signing.keys import PrivateKey
from support.agents import AgentUnderTest, device
from support.repositories import Repository
from support.small_disk import small_disk

HUB = PrivateKey.generate()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentUnderTest]:
    repository = Repository(tmp_path / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    repository.add_release("1.0.0")
    with device(tmp_path / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json", "--hub-key", HUB.public_key.fingerprint)
        yield made


def test_a_medium_with_a_receipt_alone_is_read(tmp_path: Path, agent: AgentUnderTest) -> None:
    medium = tmp_path / "medium"
    medium.mkdir()
    exported = agent.command("export", medium, "--json").json
    folder = medium / "sealift-reports" / exported["device"]
    (folder / "receipt.json").write_bytes(seal_receipt(Receipt(device=exported["device"], acknowledged=1), HUB))
    done = agent.command("import", medium, "--json")
    assert done.code == 0, done.err
    assert done.json == {"acknowledged": 1}
    assert agent.status()["reports"] == {"sealed": 1, "acknowledged": 1}


def test_a_medium_with_nothing_for_this_device_is_refused(tmp_path: Path, agent: AgentUnderTest) -> None:
    (tmp_path / "medium").mkdir()
    done = agent.command("import", tmp_path / "medium")
    assert done.code == 3
    assert "neither a repository nor a receipt" in done.err


def test_an_export_to_the_device_s_own_disk_says_that_no_medium_may_be_mounted_there(tmp_path: Path, agent: AgentUnderTest) -> None:
    (tmp_path / "stick").mkdir()
    done = agent.command("export", tmp_path / "stick").ok()
    assert "is on this device's own disk. If it should be a medium, mount the medium there and export again." in done.out
    with small_disk(tmp_path / "mounted") as disk:
        assert "own disk" not in agent.command("export", disk.directory).ok().out


def test_a_root_of_trust_that_is_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "root.json")
    with device(tmp_path / "other") as other:
        done = other.command("init", "--repo", tmp_path, "--root", tmp_path / "root.json")
    assert done.code == 4
    assert "not a regular file: found a pipe" in done.err


@pytest.mark.parametrize("name", ["timestamp.json", "2.root.json"])
def test_metadata_larger_than_it_may_be_is_refused_as_false_before_it_is_read(tmp_path: Path, agent: AgentUnderTest, name: str) -> None:
    with (tmp_path / "repository" / "metadata" / name).open("wb") as file:
        file.truncate(600 * 2**20)
    done = agent.command("sync")
    assert done.code == 4
    assert "too large" in done.err
