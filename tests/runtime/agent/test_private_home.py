"""A device's home is its user's alone: who may run it, what others can read of it, and who must make it."""

from __future__ import annotations

import datetime
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.errors import ConfigurationError
from sealift_runtime.agent.private_home import check_owner, exposed, make_home, umask
from support.agents import AgentUnderTest, device
from support.repositories import Repository
from support.sticks import NOBODY, as_nobody

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a home to another user")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    made = Repository(tmp_path_factory.mktemp("site") / "repository", now=now)
    made.add_release("1.0.0")
    return made


@pytest.fixture
def agent(tmp_path: Path, repository: Repository) -> Iterator[AgentUnderTest]:
    with device(tmp_path / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json")
        yield made


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_nothing_of_a_home_is_open_to_others_whatever_the_umask(tmp_path: Path, repository: Repository, mask: int) -> None:
    with umask(mask), device(tmp_path / "device") as agent:
        agent.init(repository.directory, repository.metadata / "1.root.json")
        agent.command("sync").ok()
        (tmp_path / "medium").mkdir()
        agent.command("export", tmp_path / "medium").ok()
        assert exposed(agent.home) == ([], [])
        if mask == 0:
            agent.start()
            assert exposed(agent.home) == ([], [])
            assert agent.stop() == 0
            assert exposed(agent.home) == ([], [])
    written = [path for path in (tmp_path / "medium").rglob("*") if path.name != "medium"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o644, 0o755}, "what is on a medium is for the hub's user too"


def test_an_open_home_of_an_earlier_agent_is_closed_by_the_first_command_and_private_once_it_is_set_up_or_run(
    agent: AgentUnderTest, repository: Repository
) -> None:
    agent.command("sync").ok()
    for path in agent.home.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    agent.home.chmod(0o755)
    doctor = agent.command("doctor")
    assert stat.S_IMODE(agent.home.stat().st_mode) == 0o700
    assert "warning files" in doctor.out
    assert "has mode 0644" in doctor.out
    agent.init(repository.directory, repository.metadata / "1.root.json")
    assert exposed(agent.home) == ([], [])
    assert "ok      files" in agent.command("doctor").out


@ROOT_ONLY
@pytest.mark.parametrize("words", [["status"], ["sync"], ["run"], ["doctor"], ["rollback", "linear"], ["infer", "linear", "--golden"]])
def test_root_runs_nothing_in_another_user_s_home(agent: AgentUnderTest, words: list[str]) -> None:
    shutil.chown(agent.home, NOBODY, NOBODY)
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in agent.home.rglob("*"))
    done = agent.command(*words)
    assert done.code == 3
    assert "this home belongs to another user: expected to be run by nobody, found root. As root, run: runuser -u nobody -- sealift-agent" in done.err
    assert sorted((str(path), path.lstat().st_mtime_ns) for path in agent.home.rglob("*")) == before


@ROOT_ONLY
def test_nor_does_it_set_another_user_s_home_up_again(agent: AgentUnderTest, repository: Repository) -> None:
    shutil.chown(agent.home, NOBODY, NOBODY)
    done = agent.command("init", "--repo", repository.directory, "--root", repository.metadata / "1.root.json")
    assert (done.code, "another user" in done.err) == (3, True)


@ROOT_ONLY
def test_doctor_names_every_file_that_belongs_to_another_user(agent: AgentUnderTest) -> None:
    os.chown(agent.home / "trust" / "state.json", NOBODY, NOBODY)
    done = agent.command("doctor")
    assert done.code == 6
    assert f"failed  files         {agent.home}/trust/state.json belongs to nobody" in done.out


@ROOT_ONLY
def test_a_user_is_told_whose_home_it_is_and_who_must_make_one(tmp_path: Path) -> None:
    (tmp_path / "of-root").mkdir()

    def act() -> None:
        with pytest.raises(ConfigurationError, match="expected to be run by root, found nobody"):
            check_owner(tmp_path / "of-root")
        words = (
            f"{tmp_path} belongs to root. As root, run: install -d -m 700 -o nobody {tmp_path}/var/lib/sealift. Or choose another home with --home"
        )
        with pytest.raises(ConfigurationError, match=words):
            make_home(tmp_path / "var" / "lib" / "sealift")

    as_nobody(act, tmp_path)


def test_init_makes_what_is_missing_above_the_home(tmp_path: Path) -> None:
    make_home(tmp_path / "var" / "lib" / "sealift")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("var", "var/lib", "var/lib/sealift")]
    assert modes == [0o755, 0o755, 0o700]
